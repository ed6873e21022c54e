"""What a live command says when somebody puts a value on an input. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchline.scenario import Signal, SignalKind
from benchline.scenario.model import NO_ECHO
from benchline.scenario.resolve import counts_of, echo_width

_ON = ("on", "1", "high", "true")
_OFF = ("off", "0", "low", "false")
_NONE = "none"
_COUNTS_MAX = 4095
_SHOWN = 60


class UnknownSignalError(ValueError):
    """Neither an input of the firmware nor a pin of the board."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A value for a pin: a level of 0 or 1, or 12-bit counts of its analog input.

    With a ``trigger`` it is the width of the echo on the pin, in us; 0: there is none.
    """

    pin: str
    value: int
    trigger: str = ""

    @property
    def command(self) -> bytes:
        """The live command of the bench core (docs/bench-core.md)."""
        what = f"echo {self.pin} {self.trigger}" if self.trigger else f"set {self.pin}"
        return f"\x1e{what} {self.value}\n".encode("ascii")


def inputs_of(signals: Sequence[Signal]) -> tuple[Signal, ...]:
    """The signals that a value can be put on, each name once, in their order."""
    found: dict[str, Signal] = {}
    for signal in signals:
        if signal.kind is not SignalKind.DIGITAL_OUT:
            found.setdefault(signal.name, signal)
    return tuple(found.values())


def setting_of(
    signals: Sequence[Signal], is_pin: Callable[[str], bool], name: str, value: str
) -> Setting:
    """The value of a signal or of a pin as its pin gets it.

    Raises:
        UnknownSignalError: neither is called so.
        ValueError: it does not take the value.
    """
    signal = next((one for one in signals if one.name == name), None)
    if signal is None:
        pin = name.upper()
        if not is_pin(pin):
            known = ", ".join(one.name for one in signals) or "none"
            what = f"{name[:_SHOWN]!r} is neither an input of this firmware ({known})"
            raise UnknownSignalError(f"{what} nor a pin of the board")
        return Setting(pin, _pin_value(name, value))
    if signal.kind is SignalKind.DIGITAL_IN:
        return Setting(signal.spelling, int(_is_on(name, value) == signal.active_high))
    if signal.kind is SignalKind.ECHO and value.strip().lower() == _NONE:
        return Setting(signal.spelling, echo_width(signal, NO_ECHO), signal.trigger_spelling)
    try:
        number = float(value.removesuffix(signal.unit).strip() if signal.unit else value)
        if signal.kind is SignalKind.ECHO:
            return Setting(signal.spelling, echo_width(signal, number), signal.trigger_spelling)
        return Setting(signal.spelling, counts_of(signal, number))
    except (ValueError, OverflowError) as error:
        takes = f"a number{_in_unit(signal)}{_or_none(signal)}: {error}"
        raise _invalid(name, value, takes) from error


def _in_unit(signal: Signal) -> str:
    return f" in {signal.unit}" if signal.unit else ""


def _or_none(signal: Signal) -> str:
    return f" or {_NONE}" if signal.kind is SignalKind.ECHO else ""


def _pin_value(name: str, value: str) -> int:
    said = value.strip().lower()
    if said in (*_ON, *_OFF):
        return int(said in _ON)
    if said.isascii() and said.isdecimal() and len(said) <= 4 and int(said) <= _COUNTS_MAX:
        return int(said)
    raise _invalid(name, value, f"on, off, or 2 to {_COUNTS_MAX} counts of its analog input")


def _is_on(name: str, value: str) -> bool:
    said = value.strip().lower()
    if said not in (*_ON, *_OFF):
        raise _invalid(name, value, "on or off")
    return said in _ON


def _invalid(name: str, value: str, takes: str) -> ValueError:
    return ValueError(f"{value[:_SHOWN]!r} cannot be put on {name[:_SHOWN]}, which takes {takes}")
