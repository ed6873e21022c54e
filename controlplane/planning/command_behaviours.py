"""Commands that a person sends, put together from clauses: one answer for each."""

from dataclasses import dataclass, field, replace

from controlplane.domain.design import Behaviour
from controlplane.planning.intent import Command, Intent, SensorRef, ValueKind
from controlplane.planning.limits import (
    LONGEST_COMMAND,
    LONGEST_TEXT,
    check_text,
    command_behaviour,
)
from controlplane.planning.resolve import Resolver, SignalsOf


@dataclass(slots=True)
class Commands:
    """Collects what is answered to which word; ``signals_of`` finds what a value comes from."""

    resolver: Resolver
    signals_of: SignalsOf
    counts_presses: bool = False
    """Whether an answer tells how often the button was pressed."""
    _commands: dict[str, Command] = field(default_factory=dict)

    @property
    def words(self) -> set[str]:
        """The words that have an answer."""
        return set(self._commands)

    def add(self, intent: Command, before: Intent | None) -> None:
        """Take one clause; ``before`` is the one in front of it."""
        if not intent.verb and not isinstance(before, Command):
            self.resolver.complain(
                "E200",
                intent.word,
                "what happens with this text is not said.",
                f"Say \"answer '{intent.word}' with ...\".",
                intent,
            )
        check_text(self.resolver, "command", intent.word, LONGEST_COMMAND, intent)
        if intent.value is None:
            check_text(self.resolver, "answer", intent.text, LONGEST_TEXT, intent)
        other = self._commands.get(intent.word)
        if other is not None and other != intent:
            self.resolver.complain(
                "E158",
                intent.word,
                f"the command {intent.word!r} is given two different answers.",
                "Say one answer for each command.",
                intent,
            )
        self._commands.setdefault(intent.word, self._with_value(intent, before))

    def _with_value(self, intent: Command, before: Intent | None) -> Command:
        """The command with "it" as what was measured before its clause, not after."""
        value = intent.value
        if value is None or value.sensor != SensorRef("it"):
            return intent
        meant = self.resolver.value(value.sensor, before, intent)
        if meant is None:
            return intent
        return replace(intent, value=replace(value, sensor=SensorRef(meant.kind.key)))

    def behaviours(self, *, counter: bool) -> list[Behaviour]:
        """Every answer; ``counter`` says that something is counted without a button."""
        found = [self._behaviour(intent, counter=counter) for intent in self._commands.values()]
        return [behaviour for behaviour in found if behaviour is not None]

    def _behaviour(self, intent: Command, *, counter: bool) -> Behaviour | None:
        if intent.value is None:
            return command_behaviour(intent.word, answer=intent.text)
        kind = intent.value.kind
        if kind is ValueKind.PRESSES and counter and "button" not in self.resolver.things:
            kind = ValueKind.COUNTER
        if kind is ValueKind.COUNTER and not counter:
            self.resolver.complain(
                "E151",
                intent.word,
                "there is no counter to answer with.",
                'Say what is counted, e.g. "print a counter every second".',
                intent,
            )
        things = self.signals_of(replace(intent.value, kind=kind), intent)
        if things is None:
            return None
        if kind is ValueKind.PRESSES:
            self.counts_presses, things = True, ()
        return command_behaviour(intent.word, kind=kind, things=things)
