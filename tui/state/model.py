"""The one store of the console: a model, the things that happen to it, and the fold."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from tui.state.board import Inventory
from tui.state.cloud import StackView, reduce_stack_events, see_stack
from tui.state.fact import Event, SessionSummary, State
from tui.state.rollout import RolloutView, reduce_rollouts
from tui.state.run import RunView, begin, reduce_all
from tui.state.stack import PlanMoved, StackFact


class Link(StrEnum):
    """How the console stands with the control plane."""

    STARTING = "STARTING"
    LIVE = "LIVE"
    AWAY = "AWAY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Everything that the screens show. Times are Unix milliseconds."""

    link: Link = Link.STARTING
    link_note: str = ""
    link_since_ms: int = 0
    listed: bool = False
    sessions: tuple[SessionSummary, ...] = ()
    runs: Mapping[str, RunView] = field(default_factory=dict)
    inventory: Inventory | None = None
    marked: frozenset[str] = frozenset()
    rollouts: Mapping[str, RolloutView] = field(default_factory=dict)
    shown_rollout: str = ""
    stacks_listed: bool = False
    stacks: Mapping[str, StackView] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """The control plane came or went."""

    link: Link
    note: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class SessionsListed:
    """The newest sessions, newest first."""

    sessions: tuple[SessionSummary, ...]


@dataclass(frozen=True, slots=True)
class SessionSeen:
    """One session, e.g. one that was just created."""

    session: SessionSummary


@dataclass(frozen=True, slots=True)
class EventsRead:
    """More events of a session."""

    session: str
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class InventorySeen:
    """The boards as they are now."""

    inventory: Inventory


@dataclass(frozen=True, slots=True)
class BoardMarked:
    """A board was marked, or its mark was taken away again."""

    board: str


@dataclass(frozen=True, slots=True)
class RolloutShown:
    """The bench shows this deployment now; the marks have done their work."""

    name: str


@dataclass(frozen=True, slots=True)
class RolloutRead:
    """More events of a deployment."""

    name: str
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class StacksListed:
    """All stacks."""

    stacks: tuple[StackFact, ...]


@dataclass(frozen=True, slots=True)
class StackSeen:
    """One stack as it stands."""

    stack: StackFact


@dataclass(frozen=True, slots=True)
class StackRead:
    """More events of a stack."""

    name: str
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class PlanReviewed:
    """The newest plan of a stack, with its changes."""

    name: str
    plan: PlanMoved


@dataclass(frozen=True, slots=True)
class StackGone:
    """A stack was forgotten."""

    name: str


Action = (
    LinkChanged
    | SessionsListed
    | SessionSeen
    | EventsRead
    | InventorySeen
    | BoardMarked
    | RolloutShown
    | RolloutRead
    | StacksListed
    | StackSeen
    | StackRead
    | PlanReviewed
    | StackGone
)


def reduce_model(model: Model, action: Action) -> Model:
    """The model after something happened. Pure; an action that says nothing new changes nothing."""
    match action:
        case LinkChanged():
            if model.link is action.link and model.link_note == action.note:
                return model
            moved = replace(model, link=action.link, link_note=action.note)
            same = model.link is action.link
            return moved if same else replace(moved, link_since_ms=action.at_ms)
        case SessionsListed():
            return replace(model, sessions=action.sessions, listed=True)
        case SessionSeen():
            others = tuple(s for s in model.sessions if s.name != action.session.name)
            known = len(others) != len(model.sessions)
            if known:
                swapped = tuple(
                    action.session if s.name == action.session.name else s for s in model.sessions
                )
                return model if swapped == model.sessions else replace(model, sessions=swapped)
            return replace(model, sessions=(action.session, *model.sessions))
        case EventsRead():
            return _with_events(model, action)
        case InventorySeen():
            there = {board.name for board in action.inventory.boards}
            return replace(model, inventory=action.inventory, marked=model.marked & there)
        case BoardMarked() | RolloutShown() | RolloutRead():
            return _with_rollout(model, action)
        case StacksListed() | StackSeen() | StackRead() | PlanReviewed() | StackGone():
            return _with_stacks(model, action)


def _with_stacks(
    model: Model, action: StacksListed | StackSeen | StackRead | PlanReviewed | StackGone
) -> Model:
    stacks = dict(model.stacks)
    match action:
        case StacksListed():
            known = {one.name: see_stack(stacks.get(one.name), one) for one in action.stacks}
            return replace(model, stacks=known, stacks_listed=True)
        case StackSeen():
            stacks[action.stack.name] = see_stack(stacks.get(action.stack.name), action.stack)
        case StackGone():
            stacks.pop(action.name, None)
        case StackRead() | PlanReviewed():
            before = stacks.get(action.name)
            if before is None:
                return model
            if isinstance(action, StackRead):
                stacks[action.name] = reduce_stack_events(before, action.events)
            else:
                stacks[action.name] = replace(before, reviewed=action.plan)
    return model if stacks == model.stacks else replace(model, stacks=stacks)


def _with_rollout(model: Model, action: BoardMarked | RolloutShown | RolloutRead) -> Model:
    match action:
        case BoardMarked():
            return replace(model, marked=model.marked ^ {action.board})
        case RolloutShown():
            return replace(model, shown_rollout=action.name, marked=frozenset())
        case RolloutRead():
            before = model.rollouts.get(action.name) or RolloutView(name=action.name)
            after = reduce_rollouts(before, action.events)
            if after is before:
                return model
            return replace(model, rollouts={**model.rollouts, action.name: after})


def _with_events(model: Model, action: EventsRead) -> Model:
    before = model.runs.get(action.session) or begin(summary_of_run(model, action.session))
    after = reduce_all(before, action.events)
    if after is before:
        return model
    return replace(model, runs={**model.runs, action.session: after})


def summary_of_run(model: Model, name: str) -> SessionSummary:
    """A session as it was last listed; without anything when it was not."""
    known = (one for one in model.sessions if one.name == name)
    return next(known, SessionSummary(name=name, title=""))


def run_of(model: Model, name: str) -> RunView:
    """A run with everything that is known of it, even before its first event was read."""
    return model.runs.get(name) or begin(summary_of_run(model, name))


def current_summary(model: Model, session: SessionSummary) -> SessionSummary:
    """A row of the list with what the events said since it was listed."""
    run = model.runs.get(session.name)
    if run is None or run.state is State.UNKNOWN or run.last_sequence < session.last_sequence:
        return session
    return replace(
        session,
        title=session.title or run.title,
        state=run.state,
        outcome=run.outcome,
        evidence=run.evidence,
        message=run.message,
        stages=run.stages or session.stages,
        asks=run.open_round is not None,
        board=run.board or session.board,
    )


def shown_rollout(model: Model) -> RolloutView | None:
    """The deployment that the bench shows, even before its first event was read."""
    if not model.shown_rollout:
        return None
    return model.rollouts.get(model.shown_rollout) or RolloutView(name=model.shown_rollout)


def going_on(model: Model) -> int:
    """Sessions that have not ended."""
    rows = (current_summary(model, one) for one in model.sessions)
    return sum(not one.state.ended for one in rows)


class Store:
    """Holds the model; whoever subscribed is told after each change."""

    def __init__(self) -> None:
        self.model = Model()
        self._told: list[Callable[[], None]] = []

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call this after each change."""
        self._told.append(listener)

    def dispatch(self, action: Action) -> None:
        """Fold one action in."""
        before = self.model
        self.model = reduce_model(before, action)
        if self.model is not before:
            for listener in self._told:
                listener()
