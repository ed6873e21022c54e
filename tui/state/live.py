"""A live simulation as a screen shows it, and what can be done to it now. Pure."""

from dataclasses import dataclass

from tui.state.fact import Outcome, State


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveInput:
    """An input with a name: ``kind`` is "analog", "digital_in" or "echo"."""

    name: str
    pin: str
    kind: str
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveFact:
    """Everything known of one live simulation; times are Unix milliseconds, 0 for none."""

    name: str
    session: str
    title: str
    board: str
    state: State
    rung: str = ""
    simulator: str = ""
    reason: str = ""
    outcome: Outcome = Outcome.NONE
    message: str = ""
    fix: str = ""
    test_build: bool = False
    epoch: int = 0
    inputs: tuple[LiveInput, ...] = ()
    create_ms: int = 0

    @property
    def live_id(self) -> str:
        """The last part of the name."""
        return self.name.rpartition("/")[2]


def reason_against_live(live: LiveFact | None, action: str) -> str | None:
    """Why an action on the simulation that is shown is not possible now; None when it is."""
    runs = live is not None and not live.state.ended
    if action == "start_live":
        return "it runs already; x ends it" if runs else None
    if action not in ("send", "set_signal", "reset", "stop"):
        return None
    if live is None or not runs:
        return "nothing runs; enter starts it"
    if action in ("send", "set_signal") and live.state is not State.RUNNING:
        waits = live.state is State.WAITING
        return "the processor has stopped; r resets it" if waits else "it starts just now"
    if action == "set_signal" and not live.test_build:
        return "this image is no test build: nothing can be put on its inputs"
    return None
