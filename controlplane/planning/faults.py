"""What FAULT records of the bench core say, in words. Pure.

Bits of CFSR and HFSR are from the ARMv7-M Architecture Reference Manual (B3.2.15, B3.2.16), codes
of mcause from the RISC-V Privileged Architecture (3.1.15); not checked against the manuals.
"""

import re
from collections.abc import Callable, Mapping

_FAULT = re.compile(r"BL (\d+) FAULT (\w+)((?: \w+=0x[0-9A-Fa-f]+)*)")
_WORD = re.compile(r"(\w+)=0x([0-9A-Fa-f]+)")
_CFSR: Mapping[int, str] = {
    0: "instruction fetch from a place that holds no code",
    1: "data access that is not allowed",
    3: "bad return from an exception",
    4: "no room on the stack for an exception",
    8: "bus error at an instruction fetch",
    9: "bus error at a data access",
    10: "bus error at a write some instructions ago",
    12: "bus error while an exception was entered",
    16: "undefined instruction",
    17: "jump to an address that is no Thumb code",
    18: "bad value for the program counter",
    19: "coprocessor or FPU that is switched off",
    24: "unaligned access",
    25: "division by zero",
}
_MCAUSE: Mapping[int, str] = {
    0: "instruction address misaligned",
    1: "instruction fetch from a place that holds no code",
    2: "illegal instruction",
    3: "breakpoint",
    4: "misaligned load",
    5: "load from an address that is not there",
    6: "misaligned store",
    7: "store to an address that is not there",
    8: "environment call",
    11: "environment call",
}
_KINDS: Mapping[str, str] = {
    "mem": "the stack ran over its end, or an access was not allowed",
    "abort": "the program ended itself (abort, failed assert, out of memory)",
}


def decoded_faults(text: str, name_of: Callable[[int], str]) -> tuple[str, ...]:
    """A sentence for each FAULT record in a transcript; `name_of` names the function of an address.

    The text is the device's own: only what has the form of a record is taken from it.
    """
    return tuple(dict.fromkeys(_decoded(match, name_of) for match in _FAULT.finditer(text)))


def _decoded(match: re.Match[str], name_of: Callable[[int], str]) -> str:
    words = {name: int(value[:16], 16) for name, value in _WORD.findall(match[3])}
    reasons = [_KINDS[match[2]]] if match[2] in _KINDS else []
    cfsr = words.get("cfsr", 0)
    reasons += [said for bit, said in _CFSR.items() if cfsr >> bit & 1]
    if words.get("hfsr", 0) >> 1 & 1:
        reasons.append("the vector table could not be read")
    if words.get("mcause", 99) in _MCAUSE and match[2] != "mem":
        reasons.append(_MCAUSE[words["mcause"]])
    told = f"fault {match[2]} at {match[1]} ms"
    if reasons:
        told += ": " + "; ".join(reasons)
    for word, said in (("pc", "in"), ("lr", "called from")):
        name = name_of(words[word]) if words.get(word) else ""
        if name:
            told += f"; {said} {name}"
    if words.get("addr"):
        told += f"; address 0x{words['addr']:08x}"
    return told
