"""Rules for sources that a model wrote: bounded, only our headers, pins only by their names.

They keep a sketch readable and honest; what confines it is the compiler's child process. The rules
read the code without its comments and texts. All findings come at once.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from controlplane.domain.design import Design
from controlplane.domain.finding import Finding
from controlplane.firmware.board_pins import FILE
from controlplane.planning.complaints import complaint

MAIN = "sketch.ino"
"""How the main file is called in answers; it gets the name of the project."""

PATHS = (MAIN, "app.h", "app.cpp")
MAX_FILE_BYTES = 64 * 1024
MAX_TOTAL_BYTES = 128 * 1024
HEADERS = frozenset(
    {
        "Arduino.h",
        "Cloud.h",
        "algorithm",
        "array",
        "cctype",
        "cmath",
        "cstddef",
        "cstdint",
        "cstdio",
        "cstdlib",
        "cstring",
        "ctype.h",
        "initializer_list",
        "limits",
        "math.h",
        "new",
        "stdbool.h",
        "stddef.h",
        "stdint.h",
        "stdio.h",
        "stdlib.h",
        "string.h",
        "type_traits",
        "utility",
    }
)
"""What the bench core and its C library have for sketches."""

_TOKEN = re.compile(
    r"//[^\n]*|/\*.*?(?:\*/|\Z)"
    r'|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'',
    re.DOTALL,
)
_COMMENT = re.compile(r"//.*|/\*.*?(?:\*/|$)")
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:<([^>\n]*)>|"([^"\n]*)"|(.*))$', re.MULTILINE)
_PIN_NAME = re.compile(r"\b(?:P[A-K]\d{1,2}|GPIO\d{1,2}|LED_BUILTIN|USER_BTN|A\d{1,2})\b")
_PIN_CALL = re.compile(
    r"\b(pinMode|digitalWrite|digitalRead|analogRead|attachInterrupt|digitalPinToInterrupt|pulseIn"
    r"|shiftIn|shiftOut)\s*\(\s*(\d|0x)"
)
_FORBIDDEN: Mapping[str, str] = {
    r"\b(?:asm|__asm|__asm__)\b": "assembler is not allowed",
    r"^[ \t]*#[ \t]*(?:line|pragma(?![ \t]+once\b)|error|include_next|embed)\b": (
        "this directive is not allowed"
    ),
    r"\bBENCH_TEST\b|\bBENCH_[A-Z_]+\b|\bbench\s*::|\bBL\s*\.": (
        "test builds and their records are none of the sketch's business"
    ),
    r"__attribute__|\[\[\s*gnu\s*::": "attributes are not allowed",
    r"\breinterpret_cast\b|\bvolatile\s+[A-Za-z_0-9]+\s*\*|\(\s*[a-z0-9_ ]+\*\s*\)\s*0x": (
        "registers and raw addresses are not allowed"
    ),
    r"\bR\"": "raw string literals are not allowed",
    r"\?\?[=/'()!<>-]|%:": "trigraphs and digraphs are not allowed",
}
_FORBIDDEN_ANYWHERE = {name: re.compile(name, re.MULTILINE) for name in _FORBIDDEN}


def lint(design: Design, files: Mapping[str, str]) -> tuple[Finding, ...]:
    """Everything that is wrong with the files of an answer, by their paths."""
    findings = [*_bounds(files)]
    for path, text in sorted(files.items()):
        code = bare(text)
        findings += _includes(path, text, code)
        findings += _forbidden(path, code)
        findings += _pins(path, code)
    findings += _unused(design, [bare(text) for text in files.values()])
    return tuple(dict.fromkeys(findings))


def bare(text: str) -> str:
    """Code with its comments and texts blanked, lines kept."""

    def blank(match: re.Match[str]) -> str:
        found = match[0]
        if found.startswith("/"):
            return "\n" * found.count("\n") or " "
        return found[0] + found[0]

    return _TOKEN.sub(blank, text.replace("\\\r\n", "").replace("\\\n", ""))


def _line(code: str, at: int) -> int:
    return code.count("\n", 0, at) + 1


def _found(path: str, line: int, message: str, fix: str) -> Finding:
    subject = f"{path}:{line}" if line else path
    return complaint("E302", subject, message, fix)


def _bounds(files: Mapping[str, str]) -> Iterator[Finding]:
    if MAIN not in files:
        yield _found(MAIN, 0, "the sketch is missing.", f"Write {MAIN} with setup() and loop().")
    sizes = {path: len(text.encode("utf-8", "replace")) for path, text in files.items()}
    for path, size in sizes.items():
        if path not in PATHS:
            yield _found(path[:80], 0, "there is no place for it.", f"Use {', '.join(PATHS)}.")
        if size > MAX_FILE_BYTES:
            yield _found(path[:80], 0, f"it has {size} bytes.", f"Use {MAX_FILE_BYTES} at most.")
        bad = next((ch for ch in files[path] if not ch.isprintable() and ch not in "\n\t\r"), "")
        if bad:
            yield _found(path[:80], 0, f"it holds the character U+{ord(bad):04X}.", "Use text.")
    if sum(sizes.values()) > MAX_TOTAL_BYTES:
        yield _found("files", 0, "together they are too large.", f"Use {MAX_TOTAL_BYTES} bytes.")


def _includes(path: str, text: str, code: str) -> Iterator[Finding]:
    allowed = HEADERS | {FILE, *PATHS[1:2]}
    # A name in quotes is blanked in the bare code, so names are read from the text of real lines.
    real = {_line(code, m.start()) for m in _INCLUDE.finditer(code)}
    lines = text.replace("\\\r\n", "").replace("\\\n", "").split("\n")
    for number in sorted(real):
        match = _INCLUDE.match(_COMMENT.sub(" ", lines[number - 1]))
        name = (match[1] or match[2] or "") if match else ""
        if name not in allowed:
            yield _found(
                path, number, f"there is no header {name[:60]!r} for sketches.", "Leave it out."
            )


def _forbidden(path: str, code: str) -> Iterator[Finding]:
    for name, pattern in _FORBIDDEN_ANYWHERE.items():
        match = pattern.search(code)
        if match:
            yield _found(path, _line(code, match.start()), f"{_FORBIDDEN[name]}.", "Remove it.")


def _pins(path: str, code: str) -> Iterator[Finding]:
    for match in _PIN_NAME.finditer(code):
        fix = f"Use the names of {FILE}."
        yield _found(path, _line(code, match.start()), f"{match[0]} is a pin by itself.", fix)
    for match in _PIN_CALL.finditer(code):
        message = f"{match[1]} is called with a number."
        yield _found(path, _line(code, match.start()), message, f"Use the names of {FILE}.")


def _unused(design: Design, codes: Sequence[str]) -> Iterator[Finding]:
    """A signal whose pin no file mentions is not driven or read, whatever the sketch prints."""
    for pin in design.pins:
        if pin.signal == "console":
            continue
        name = f"{pin.signal.upper()}_PIN"
        if not any(re.search(rf"\b{name}\b", code) for code in codes):
            yield _found(MAIN, 0, f"{name} is used nowhere.", "Drive or read it.")
