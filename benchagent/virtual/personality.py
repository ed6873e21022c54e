"""Personalities: how one virtual board differs from a perfect one. Pure.

A personality is a list of words, e.g. `clock=-2%`, `adc-gain=1.03`, `missing-sensor=PA1`. What it
changes is what the *running* firmware meets and what an observer sees; the flash itself, as a tool
reads it back, stays exact.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from benchline.scenario.table import (
    ADC_COUNTS_MAX,
    SIGNAL_ANALOG,
    SIGNAL_CONSOLE,
    SIGNAL_DIGITAL,
    SIGNAL_ECHO,
    TABLE_BYTES_MAX,
    TableError,
    TableRow,
    pack_rows,
    unpack_table,
)

WORDS = "clock, adc-gain, adc-offset, adc-noise, inverted-led, slow-boot, missing-sensor"
_MOST_CLOCK = 0.2
_MOST_GAIN = 10.0
_LONGEST_BOOT_S = 60.0
_PIN = re.compile(r"P([A-I])(1[0-5]|[0-9])|GPIO([0-9]|[1-4][0-9])")
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
_MAX_RECORD = 1024
_RECORD, _NEWLINE = 0x1E, 0x0A


class PersonalityError(ValueError):
    """A word that is no personality, or one that this board cannot have; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Personality:
    """What is different. The defaults are a perfect board."""

    clock: float = 0.0
    """Error of the device clock: -0.02 runs 2 % slow."""
    adc_gain: float = 1.0
    adc_offset: float = 0.0
    adc_noise: float = 0.0
    """Standard deviation, in counts of 12 bits, as the offset."""
    inverted_led: str = ""
    """The pin whose LED is wired the other way round."""
    slow_boot_s: float = 0.0
    missing_sensors: tuple[str, ...] = ()
    """Pins to which nothing is connected."""

    @property
    def words(self) -> tuple[str, ...]:
        """As `--personality` takes it; empty for a perfect board."""
        perfect = Personality()
        found = [
            (self.clock != perfect.clock, f"clock={self.clock * 100:+g}%"),
            (self.adc_gain != perfect.adc_gain, f"adc-gain={self.adc_gain:g}"),
            (self.adc_offset != perfect.adc_offset, f"adc-offset={self.adc_offset:g}"),
            (self.adc_noise != perfect.adc_noise, f"adc-noise={self.adc_noise:g}"),
            (bool(self.inverted_led), f"inverted-led={self.inverted_led}"),
            (self.slow_boot_s != perfect.slow_boot_s, f"slow-boot={self.slow_boot_s:g}s"),
        ]
        missing = [f"missing-sensor={pin}" for pin in self.missing_sensors]
        return (*(word for differs, word in found if differs), *missing)

    @property
    def changes_table(self) -> bool:
        """Whether the running firmware meets another stimulus table than the one in flash."""
        return bool(self.missing_sensors or self.adc_gain != 1 or self.adc_offset or self.adc_noise)


def parse_personality(texts: Iterable[str], *, led: str = "") -> Personality:
    """Read words separated by commas; `led` is the pin of the board model's LED.

    Raises PersonalityError.
    """
    found = Personality()
    for word in (word.strip() for text in texts for word in text.split(",")):
        if word:
            name, _, value = word.partition("=")
            reader = _READERS.get(name)
            if reader is None:
                raise PersonalityError(f"no personality {name!r}; there are {WORDS}")
            found = reader(found, value or (led if name == "inverted-led" else ""))
    return found


def table_seen(table: bytes, personality: Personality, seed: str) -> bytes:
    """What the running firmware meets in place of the stimulus table in flash.

    The same `seed`, table and personality give the same noise. What is no table stays as it is.
    """
    try:
        held = unpack_table(table)
    except TableError:
        return table
    missing = {
        signal + pin_number(pin)
        for pin in personality.missing_sensors
        for signal in (SIGNAL_DIGITAL, SIGNAL_ANALOG, SIGNAL_ECHO)
    }
    digest = hashlib.sha256(f"{seed}/{held.nonce}".encode()).digest()
    noise = random.Random(digest)  # noqa: S311 - repeatable on purpose
    rows = [_row_seen(row, personality, noise) for row in held.rows if row.signal not in missing]
    packed = pack_rows(rows, held.nonce, held.flags)
    return packed + b"\xff" * (min(len(table), TABLE_BYTES_MAX) - len(packed))


def pin_number(pin: str) -> int:
    """Number of a pin in records and tables: port times 16 plus bit, or the GPIO's own."""
    found = _PIN.fullmatch(pin)
    if found is None:
        raise PersonalityError(f"{pin!r} is no pin: PA5 or GPIO8, say")
    if found[1]:
        return (ord(found[1]) - ord("A")) * 16 + int(found[2])
    return int(found[3])


class LedInverter:
    """Turns the levels in the PIN records of one pin round, as an observer of its LED sees them.

    A record may arrive in pieces; everything else passes unchanged and at once.
    """

    def __init__(self, pin: str) -> None:
        self._level = re.compile(
            rb"(BL [0-9]{1,10} PIN " + pin.encode("ascii") + rb" (?:n=[0-9]+ )?(?:v|last)=)([01])"
        )
        self._held = bytearray()

    def __call__(self, data: bytes) -> bytes:
        """What an observer sees of the next bytes."""
        seen = bytearray()
        for byte in data:
            if not self._held:
                if byte == _RECORD:
                    self._held.append(byte)
                else:
                    seen.append(byte)
                continue
            self._held.append(byte)
            doubled = len(self._held) == 2 and byte == _RECORD
            if byte == _NEWLINE or doubled or len(self._held) > _MAX_RECORD:
                seen += self._level.sub(_other_level, bytes(self._held))
                self._held.clear()
        return bytes(seen)


def _other_level(found: re.Match[bytes]) -> bytes:
    return found[1] + (b"0" if found[2] == b"1" else b"1")


def _row_seen(row: TableRow, personality: Personality, noise: random.Random) -> TableRow:
    if not SIGNAL_ANALOG <= row.signal < SIGNAL_CONSOLE or row.signal >= SIGNAL_ANALOG + 0x100:
        return row
    counts = row.value * personality.adc_gain + personality.adc_offset
    if personality.adc_noise:
        counts += noise.gauss(0, personality.adc_noise)
    return replace(row, value=max(0, min(ADC_COUNTS_MAX, round(counts))))


def _number(text: str, unit: str = "") -> float:
    plain = text.removesuffix(unit)
    if not _NUMBER.fullmatch(plain):
        raise PersonalityError(f"{text!r} is no number{f' with {unit}' if unit else ''}")
    return float(plain)


def _clock(found: Personality, text: str) -> Personality:
    error = _number(text, "%") / 100
    if abs(error) > _MOST_CLOCK:
        raise PersonalityError(f"a clock is off by {_MOST_CLOCK:.0%} at most")
    return replace(found, clock=error)


def _gain(found: Personality, text: str) -> Personality:
    gain = _number(text)
    if not 0 <= gain <= _MOST_GAIN:
        raise PersonalityError(f"a gain is between 0 and {_MOST_GAIN:g}")
    return replace(found, adc_gain=gain)


def _offset(found: Personality, text: str) -> Personality:
    offset = _number(text)
    if abs(offset) > ADC_COUNTS_MAX:
        raise PersonalityError(f"an offset is {ADC_COUNTS_MAX} counts at most")
    return replace(found, adc_offset=offset)


def _noise(found: Personality, text: str) -> Personality:
    noise = _number(text)
    if not 0 <= noise <= ADC_COUNTS_MAX:
        raise PersonalityError(f"noise is between 0 and {ADC_COUNTS_MAX} counts")
    return replace(found, adc_noise=noise)


def _inverted(found: Personality, pin: str) -> Personality:
    if not pin:
        raise PersonalityError("this board model has no LED of its own: inverted-led=PIN")
    pin_number(pin)
    return replace(found, inverted_led=pin)


def _slow_boot(found: Personality, text: str) -> Personality:
    seconds = _number(text, "s")
    if not 0 <= seconds <= _LONGEST_BOOT_S:
        raise PersonalityError(f"a boot takes {_LONGEST_BOOT_S:g}s more at most")
    return replace(found, slow_boot_s=seconds)


def _missing(found: Personality, pin: str) -> Personality:
    pin_number(pin)
    return replace(found, missing_sensors=(*found.missing_sensors, pin))


_READERS: dict[str, Callable[[Personality, str], Personality]] = {
    "clock": _clock,
    "adc-gain": _gain,
    "adc-offset": _offset,
    "adc-noise": _noise,
    "inverted-led": _inverted,
    "slow-boot": _slow_boot,
    "missing-sensor": _missing,
}
