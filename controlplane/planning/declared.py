"""Things that a designer declares by id, where the offline designer reads them out of clauses."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from controlplane.domain.finding import Finding
from controlplane.planning.intent import Amount, Intent, OutputRef, SensorRef
from controlplane.planning.resolve import Resolver, Thing

BUTTON = "button"
"""The id of the button whose presses are a behaviour of a known kind."""


@dataclass(slots=True, kw_only=True)
class DeclaredThings(Resolver):
    """Takes the ``kind`` of a mention for an id; what is mentioned becomes part of the design."""

    declared: dict[str, Thing] = field(default_factory=dict)

    def survey(self, intents: object) -> None:
        """Ids are what they are: there is nothing to learn beforehand."""

    def output(self, ref: OutputRef, at: Intent) -> Thing | None:
        """The output of an id."""
        return self._use(ref.kind, "output", at)

    def sensor(self, ref: SensorRef | None, amount: Amount | None, at: Intent) -> Thing | None:
        """The sensor of an id."""
        return self._use(ref.kind if ref is not None else "", "sensor", at)

    def button(self, ref: OutputRef | None, at: Intent) -> Thing | None:
        """The button; only the one called "button" has behaviours of a known kind."""
        name = ref.kind if ref is not None else BUTTON
        if name != BUTTON:
            self._complain(
                "E102",
                name,
                'the button of "buttons" and of press counts has to have the id "button".',
                'Call it "button"; other buttons belong to custom behaviours.',
            )
            return None
        return self._use(BUTTON, "button", at)

    def use(self, name: str) -> Thing | None:
        """The declared thing of an id, whatever its role; None after a finding."""
        thing = self.declared.get(name)
        if thing is None:
            self._complain("E151", name, "there is no component of this id.", "Declare it.")
            return None
        return self.things.setdefault(name, thing)

    def signals_of(self, names: Sequence[str]) -> tuple[str, ...]:
        """The signals of declared things; an id that is not declared stands for itself."""
        return tuple(
            signal
            for name in names
            for signal in (self.declared[name].signals if name in self.declared else (name,))
        )

    def _use(self, name: str, role: str, at: Intent) -> Thing | None:
        thing = self.use(name)
        if thing is not None and thing.kind.role != role:
            kind = thing.kind.key
            self._complain("E151", name, f"a {kind} is no {role}.", f"Name a {role} here.")
            return None
        return thing

    def _complain(self, code: str, subject: str, message: str, fix: str) -> None:
        finding = Finding(code=code, subject=subject, message=message, fix=fix)
        if finding not in self.findings:
            self.findings.append(finding)
