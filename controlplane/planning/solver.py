"""The search behind pin assignment: complete, deterministic, with as few changes as there can be.

A demand has options, best first. The search tries them in that order and looks ahead: as soon as
the demands that are left cannot have a pin each, it turns back. Its first answer is therefore the
best one in the order of the demands, and when it finds none there is none.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.domain.design import PinRole
from controlplane.domain.part import Peripherals, PinFunction

MOST_STEPS = 2_000
"""Options that one search tries before it gives up; designs of this size take a few hundred."""


class GaveUpError(Exception):
    """The search was stopped: there may be an answer, or none."""


@dataclass(frozen=True, slots=True)
class Option:
    """A pad, and what a peripheral does on it for roles that need one."""

    pin: str
    function: PinFunction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What has to be decided: one of ``options``, for the user ``group`` of a peripheral.

    ``previous`` is the pin that it had before, "" when it had none.
    """

    role: PinRole
    options: tuple[Option, ...]
    group: str
    frequency_hz: int = 0
    previous: str = ""


def solve(
    choices: Sequence[Choice], there: Peripherals, taken: frozenset[str]
) -> tuple[Option, ...] | None:
    """An option for each choice, with the fewest changed pins; None when there is no answer.

    ``taken`` are peripherals that are in use.

    Raises:
        GaveUpError: too many options were tried.
    """
    if not any(choice.previous for choice in choices):
        return _Search(choices, there, taken, budget=len(choices)).run()
    for budget in range(_unavoidable(choices, set()), len(choices) + 1):
        try:
            found = _Search(choices, there, taken, budget=budget).run()
        except GaveUpError:
            break
        if found is not None:
            return found
    else:
        return None
    return _Search(choices, there, taken, budget=len(choices)).run()


def _unavoidable(choices: Sequence[Choice], used: set[str]) -> int:
    """How many of the choices cannot keep their pin, at least."""
    return sum(
        bool(choice.previous)
        and (
            choice.previous in used
            or all(option.pin != choice.previous for option in choice.options)
        )
        for choice in choices
    )


class _Search:
    """One search with a bound on the number of pins that may change."""

    def __init__(
        self,
        choices: Sequence[Choice],
        there: Peripherals,
        taken: frozenset[str],
        *,
        budget: int,
    ) -> None:
        self._choices = choices
        self._there = there
        self._budget = budget
        self._bounded = budget < len(choices)
        self._steps = 0
        self._used: set[str] = set()
        self._owners: dict[str, str] = dict.fromkeys(taken, "")
        self._instances: dict[str, str] = {}
        self._channels: set[str] = set()
        self._rates: dict[str, list[int]] = {}
        self._found: list[Option] = []

    def run(self) -> tuple[Option, ...] | None:
        """Search from the beginning."""
        if self._too_many_channels() or not self._worth_it(0, 0):
            return None
        return tuple(self._found) if self._place(0, 0) else None

    def _place(self, index: int, changes: int) -> bool:
        if index == len(self._choices):
            return True
        choice = self._choices[index]
        options = choice.options
        if choice.previous:
            options = tuple(sorted(options, key=lambda option: option.pin != choice.previous))
        for option in options:
            if option.pin in self._used or not self._allowed(choice, option):
                continue
            spent = changes + (bool(choice.previous) and option.pin != choice.previous)
            if spent > self._budget:
                continue
            self._steps += 1
            if self._steps > MOST_STEPS:
                raise GaveUpError
            undo = self._take(choice, option)
            if self._worth_it(index + 1, spent) and self._place(index + 1, spent):
                return True
            self._give_back(option, undo)
        return False

    def _worth_it(self, index: int, spent: int) -> bool:
        if self._bounded:
            rest = _unavoidable(self._choices[index:], self._used)
            if spent + rest > self._budget:
                return False
        return self._can_all_have_a_pin(index) and self._can_all_have_a_peripheral(index)

    # --- what one option rules out for others ---

    def _allowed(self, choice: Choice, option: Option) -> bool:
        function = option.function
        if function is None:
            return True
        if choice.role is PinRole.PWM:
            return self._allowed_pwm(choice, function)
        owner = self._owners.get(function.peripheral)
        mine = self._instances.get(choice.group)
        return (
            (owner is None or owner == choice.group)
            and (mine is None or mine == function.peripheral)
            and function.name not in self._channels
        )

    def _allowed_pwm(self, choice: Choice, function: PinFunction) -> bool:
        if function.peripheral == "ledc":
            rates = self._rates.get("ledc", [])
            return (
                len(rates) < self._there.pwm_channels
                and len({*rates, choice.frequency_hz}) <= self._there.pwm_timers
            )
        rates = self._rates.get(function.peripheral, [])
        return function.name not in self._channels and {*rates} <= {choice.frequency_hz}

    def _take(self, choice: Choice, option: Option) -> list[tuple[str, str]]:
        """Enter an option; what has to be taken back with it."""
        self._used.add(option.pin)
        self._found.append(option)
        function = option.function
        undo: list[tuple[str, str]] = []
        if function is None:
            return undo
        if choice.role is PinRole.PWM:
            self._rates.setdefault(function.peripheral, []).append(choice.frequency_hz)
            undo.append(("rate", function.peripheral))
            if function.peripheral == "ledc":
                return undo
        else:
            if function.peripheral not in self._owners:
                self._owners[function.peripheral] = choice.group
                undo.append(("owner", function.peripheral))
            if choice.group not in self._instances:
                self._instances[choice.group] = function.peripheral
                undo.append(("instance", choice.group))
        self._channels.add(function.name)
        undo.append(("channel", function.name))
        return undo

    def _give_back(self, option: Option, undo: list[tuple[str, str]]) -> None:
        self._used.discard(option.pin)
        self._found.pop()
        for what, key in undo:
            if what == "rate":
                self._rates[key].pop()
            elif what == "owner":
                del self._owners[key]
            elif what == "instance":
                del self._instances[key]
            else:
                self._channels.discard(key)

    # --- looking ahead: a pin for each choice that is left ---

    def _too_many_channels(self) -> bool:
        """Whether a matrix lacks channels or timers: there every pad is as good as any other."""
        rates = [
            choice.frequency_hz
            for choice in self._choices
            if choice.role is PinRole.PWM
            and all(o.function and o.function.peripheral == "ledc" for o in choice.options)
        ]
        there = self._there
        return len(rates) > there.pwm_channels > 0 or len({*rates}) > there.pwm_timers > 0

    def _can_all_have_a_peripheral(self, index: int) -> bool:
        """A peripheral for each bus, and a timer for each frequency, that is still without."""
        able: dict[tuple[PinRole | None, str], dict[str, None]] = {}
        for choice in self._choices[index:]:
            key: tuple[PinRole | None, str] = (None, choice.group)
            settled = choice.group in self._instances
            if choice.role is PinRole.PWM:
                key = (PinRole.PWM, str(choice.frequency_hz))
                settled = any(choice.frequency_hz in rates for rates in self._rates.values())
            if settled:
                continue
            for option in choice.options:
                function = option.function
                if function and function.peripheral != "ledc" and self._allowed(choice, option):
                    able.setdefault(key, {})[function.peripheral] = None
        lists = [tuple(names) for names in able.values()]
        holder: dict[str, int] = {}
        return all(_augment(number, lists, holder, set()) for number in range(len(lists)))

    def _can_all_have_a_pin(self, index: int) -> bool:
        holder: dict[str, int] = {}
        able = [
            tuple(
                dict.fromkeys(
                    option.pin
                    for option in choice.options
                    if option.pin not in self._used and self._allowed(choice, option)
                )
            )
            for choice in self._choices[index:]
        ]
        return all(_augment(number, able, holder, set()) for number in range(len(able)))


def _augment(
    number: int, able: Sequence[Sequence[str]], holder: dict[str, int], seen: set[str]
) -> bool:
    """Give one choice a pin, moving others along; the classical augmenting path."""
    for pin in able[number]:
        if pin not in holder:
            holder[pin] = number
            return True
    for pin in able[number]:
        if pin in seen:
            continue
        seen.add(pin)
        if _augment(holder[pin], able, holder, seen):
            holder[pin] = number
            return True
    return False
