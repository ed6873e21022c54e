"""Words about live simulations that the console and the verbs share. Pure."""

import datetime

from tui.state.fact import State
from tui.state.live import LiveFact, LiveInput
from tui.wording import ending, one_line


def live_stands(live: LiveFact) -> str:
    """``RUNNING``, ``STOPPED``, ``TOOL_BROKEN (BROKEN)``."""
    return ending(live.state, live.outcome, "") if not live.reason else live.reason


def live_head(live: LiveFact) -> str:
    """``qemu-netduinoplus2 as olimex-stm32-h405, boot 2``."""
    where = f"{live.rung} as {live.board}" if live.rung else live.board
    return f"{where}, boot {live.epoch}" if live.epoch else where


def live_cells(live: LiveFact) -> tuple[str, ...]:
    """The cells of one: name, when, how it stands, where, boots, session, title and remark."""
    made = datetime.datetime.fromtimestamp(live.create_ms / 1000, tz=datetime.UTC).astimezone()
    remark = one_line(": ".join(filter(None, (live.title, live.message))), 70)
    return (
        live.live_id,
        f"{made:%d %b %H:%M}",
        live_stands(live),
        live.rung or live.board,
        str(live.epoch),
        live.session.rpartition("/")[2],
        remark,
    )


LIVE_HEADS = ("NAME", "WHEN", "STATE", "SIMULATOR", "BOOTS", "SESSION", "TITLE")


def live_news(before: LiveFact | None, live: LiveFact) -> list[str]:
    """What is to be said of a simulation that was as ``before``."""
    if live.state.ended:
        told = [f"ended: {one_line(live.message, 300)}"]
        return [*told, f"next: {one_line(live.fix, 300)}"] if live.fix else told
    if live.state is State.WAITING:
        return [f"{one_line(live.message, 300)}; {one_line(live.fix, 200)}"]
    if live.state is State.RUNNING and (before is None or before.epoch != live.epoch):
        if before is not None and before.epoch:
            return [f"reset: boot {live.epoch}"]
        return [f"{live_head(live)}, {live.simulator}"]
    return []


def live_inputs(live: LiveFact) -> str:
    """``inputs: temperature (PA1, C), button (PA0, on/off)``."""
    named = ", ".join(_input(one) for one in live.inputs) or "its pins, by their names"
    return f"inputs: {named}"


def _input(one: LiveInput) -> str:
    takes = "on/off" if one.kind == "digital_in" else one.unit or "number"
    if one.kind == "echo":
        takes += " or none"
    return f"{one.name} ({one.pin}, {takes})"
