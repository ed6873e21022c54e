"""A design as a screen shows it, free of wire types. Pure."""

from dataclasses import dataclass

from tui.state.fact import Finding, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentFact:
    """Something that is wired to the part."""

    component_id: str
    kind: str = ""
    part_number: str = ""
    purpose: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinFact:
    """A solved pin. ``level`` is how it is active and pulled."""

    pin: str
    signal: str
    function: str = ""
    component: str = ""
    level: str = ""
    fixed_by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignFact:
    """A whole design; ``document`` is its canonical JSON."""

    document: str
    title: str = ""
    summary: str = ""
    prompt: str = ""
    designer: str = ""
    design_hash: str = ""
    board_model: str = ""
    board_reason: str = ""
    part: str = ""
    components: tuple[ComponentFact, ...] = ()
    pins: tuple[PinFact, ...] = ()
    behaviours: tuple[tuple[str, str], ...] = ()
    assumptions: tuple[str, ...] = ()
    open_questions: tuple[str, ...] = ()
    scenarios: tuple[tuple[str, str], ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFact:
    """A revision of a kept design, as lists tell it."""

    name: str
    revision: int = 1
    head: int = 1
    title: str = ""
    board_model: str = ""
    note: str = ""
    principal: str = ""
    etag: str = ""
    update_ms: int = 0

    @property
    def design_id(self) -> str:
        """The name without its collection."""
        return self.name.removeprefix("designs/")

    @property
    def revision_name(self) -> str:
        """The name of this very revision."""
        return f"{self.name}/revisions/{self.revision}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFact:
    """A difference between two designs; ``sign`` is +, - or ~."""

    sign: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A board model that could carry a design, and why it stands where it stands."""

    board_model: str
    fits: bool
    reasons: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Words of a sentence, as character positions, and what they were taken for."""

    start: int
    end: int
    text: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a sentence would become, or every reason why not."""

    outcome: Outcome
    understood: tuple[Span, ...] = ()
    design: DesignFact | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignerFact:
    """A designer of the server; money is in millionths of a dollar, a ceiling of 0 is none."""

    designer: str
    ready: bool
    detail: str = ""
    fix: str = ""
    costs: bool = False
    session_ceiling: int = 0
    month_ceiling: int = 0
    month_spent: int = 0


def unread(prompt: str, understood: tuple[Span, ...]) -> tuple[tuple[int, int], ...]:
    """Where a sentence was not understood: words that no span covers, marks aside."""
    covered = [False] * len(prompt)
    for span in understood:
        for place in range(max(0, span.start), min(len(prompt), span.end)):
            covered[place] = True
    found: list[tuple[int, int]] = []
    start = -1
    for place, sign in enumerate(f"{prompt}\0"):
        left = place < len(prompt) and not covered[place]
        if left and sign.isalnum() and start < 0:
            start = place
        if start >= 0 and not left:
            found.append((start, start + len(prompt[start:place].rstrip(" \t\r\n.,;:!?"))))
            start = -1
    return tuple(found)
