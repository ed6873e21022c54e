"""Stacks, plans and what Terraform tells, coloured. Every colour stands beside a sign or a word."""

from rich.text import Text

from tui.cloud_wording import (
    approval_words,
    expiry_words,
    history_lines,
    row_step,
    stack_head,
    work_head,
    work_lines,
)
from tui.stack_wording import change_lines, plan_lines, stack_cells, stack_lines
from tui.state.cloud import StackView
from tui.state.stack import PlanMoved, StackFact
from tui.widgets.paint import BOLD, DIM
from tui.wording import one_line, visible

HEADS = ("Stack", "Target", "State", "Devices", "Drift", "Next")
_STATE = {
    "APPLIED": "green",
    "FAILED": "red",
    "INTERRUPTED": "magenta",
    "CANCELLED": "yellow",
    "PLANNED": "bold yellow",
    "APPROVED": "bold yellow",
    "PLANNING": "cyan",
    "APPLYING": "cyan",
    "DESTROYING": "cyan",
}
_SIGN = {
    "+": "green",
    "~": "yellow",
    "±": "bold red",
    "-": "bold red",
    "✓": "green",
    "✗": "red",
    "!": "yellow",
    "…": "cyan",
    "▶": "cyan",
    "·": "dim",
    "error": "red",
    "warning": "yellow",
    "──": "bold yellow",
}
_NO_PLAN = "There is no plan.\n\np makes one: it shows what would be made, and makes nothing."
_UNREAD = "Reading the plan…"


def state_style(state: str) -> str:
    """Style of the state of a stack."""
    return _STATE.get(state, "")


def stack_row(stack: StackFact) -> tuple[Text, ...]:
    """A stack as a row of the list."""
    name, target, state, devices, drift, _ = stack_cells(stack)
    return (
        Text(one_line(name, 40), BOLD),
        Text(target, DIM),
        Text(state, state_style(stack.state)),
        Text(devices),
        Text(drift, "yellow"),
        Text(row_step(stack)),
    )


def stack_title(stack: StackFact) -> Text:
    """`` local  APPLIED  target local   127.0.0.1:18883   2 devices``."""
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f" {stack.stack_id}  ", BOLD)
    text.append(f"{stack.state}{' …' if stack.busy else ''}", state_style(stack.state))
    return text.append(f"   {stack_head(stack)}", DIM)


def stack_text(stack: StackFact) -> Text:
    """Outputs, devices, drift and what was not finished."""
    lines = [line for line in stack_lines(stack) if not line.startswith(("stack ", "next "))]
    if not stack.endpoint:
        lines += ["", "It gives nothing: nothing of it is there."]
    elif stack.drift_ms:
        lines += ["", "nothing drifted when somebody last looked"] if not stack.drifted else []
    text = Text()
    for line in lines:
        warns = line.startswith(("drifted", "unfinished", "not made"))
        text.append(f"{line}\n", "yellow" if warns else "")
    return text


def plan_text(view: StackView, now_ms: int) -> Text:
    """A plan for review, what goes away first."""
    plan = view.plan
    if plan is None:
        return Text(_NO_PLAN)
    text = Text()
    notes = [approval_words(view.fact, plan), expiry_words(plan, now_ms)]
    text.append("   ".join(filter(None, notes)), "bold yellow" if plan.open else DIM)
    text.append("\n\n")
    lines = plan_lines(plan)
    text.append(f"{lines[0]}\n", BOLD)
    if view.unread_plan:
        return text.append(_UNREAD, DIM)
    text.append_text(signed(lines[1:]))
    if plan.devices:
        text.append(f"\ndevices then: {visible(', '.join(plan.devices))}", DIM)
    return text


def plan_rows(plan: PlanMoved) -> list[Text]:
    """The changes of a plan, a line each, without their attributes."""
    return [signed(change_lines(one)[:1]) for one in plan.changes]


def work_text(view: StackView, now_ms: int) -> Text:
    """How far the newest run of Terraform is."""
    text = Text()
    if view.work is not None:
        ended = view.work.operation.ended
        text.append(f"{work_head(view.work, now_ms)}\n\n", BOLD if ended else "bold cyan")
    return text.append_text(signed(work_lines(view.work)))


def history_text(view: StackView) -> Text:
    """What happened, oldest first."""
    return signed(history_lines(view))


def signed(lines: list[str]) -> Text:
    """Lines, each in the colour of the sign or word it begins with."""
    text = Text()
    for number, line in enumerate(lines):
        first, _, _ = line.strip().partition(" ")
        text.append("\n" if number else "")
        text.append(line, _SIGN.get(first.rstrip(":"), ""))
    return text
