"""``stack``: device clouds are planned, approved, applied, looked at and destroyed."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable

from benchline.errors import InvalidRequestError, NotPermittedError
from benchline.v1 import event_pb2, provisioning_pb2, stack_pb2
from tui.client import stacks as calls
from tui.client.bench_facts import cloud_words
from tui.client.connection import Connection
from tui.client.stack_facts import plan_of, stack_of
from tui.client.translate import event_of
from tui.client.watch import Back
from tui.headless import local
from tui.headless.output import (
    EXIT_LEFT,
    EXIT_USAGE,
    MISSING,
    data,
    exit_code,
    json_line,
    table,
    talk,
)
from tui.headless.telemetry import telemetry
from tui.stack_wording import (
    SHORT_DIGEST,
    output_lines,
    plan_lines,
    stack_cells,
    stack_event_lines,
    stack_lines,
)
from tui.wording import visible

_Operation = provisioning_pb2.StackOperation
_DIFFERS = 1


async def stack(options: argparse.Namespace) -> int:
    """Do one of the things that can be done to a stack."""
    if options.action == "list":
        return await _list(options)
    does: dict[str, Callable[[Connection, argparse.Namespace], Awaitable[int]]] = {
        "plan": _plan,
        "approve": _approve,
        "reject": _reject,
        "apply": _apply,
        "destroy": _destroy,
        "drift": _drift,
        "outputs": _outputs,
        "show": _show,
        "watch": _watch,
        "telemetry": telemetry,
        "send": _send,
        "cancel": _cancel,
        "delete": _delete,
    }
    connection = await local.ensure_up(need_boards=False)
    async with connection:
        return await does[options.action](connection, options)


async def _list(options: argparse.Namespace) -> int:
    connection = await local.ensure_up(need_boards=False)
    async with connection:
        found = await calls.all_stacks(connection)
    if options.json:
        for one in found:
            data(json_line(one, whole=True))
        return 0
    for line in table([stack_cells(stack_of(one)) for one in found]):
        data(line)
    if not found:
        talk("no stacks yet; `benchline stack plan NAME` describes one, `run --stack local` too")
    return 0


async def _plan(connection: Connection, options: argparse.Namespace) -> int:
    settings = dict(options.settings)
    known = await calls.stack_if_any(connection, options.name)
    if known is None:
        target = options.target or "local"
        await calls.create_stack(connection, options.name, target, options.device, settings)
        talk(f"stack {options.name} of target {target} is described; nothing is made yet")
        operation = await calls.plan_stack(connection, options.name)
    else:
        if options.target not in (None, known.target):
            raise InvalidRequestError(
                "TARGET_FIXED",
                f"stack {options.name} is of target {known.target}; take another name",
                target=known.target,
            )
        operation = await calls.plan_stack(
            connection,
            options.name,
            add=options.device,
            remove=options.remove_device,
            settings=settings,
        )
    return await _show_plan(connection, options, operation)


async def _show_plan(
    connection: Connection, options: argparse.Namespace, operation: _Operation
) -> int:
    """Follow a plan to its end and show it for review."""
    code, followed = await _follow(connection, options, operation)
    if code or followed is None:
        return code
    made = await _made(connection, followed)
    if made is None:
        _tell(options, followed.stack, f"stack {options.name} is as it should be: no changes")
        return 0
    if options.json:
        data(json_line(made, whole=True))
        return 0
    for line in plan_lines(plan_of(made)):
        data(line)
    talk(f"next: {followed.stack.next_action}")
    return 0


async def _made(
    connection: Connection, followed: calls.FollowedStack
) -> provisioning_pb2.StackPlan | None:
    """The plan that an operation made; None when nothing has to be changed."""
    plan = followed.stack.plan
    if not plan.digest or plan.operation != followed.operation.operation_id:
        return None
    return await calls.newest_plan(connection, followed.stack.name)


async def _approve(connection: Connection, options: argparse.Namespace) -> int:
    found = await calls.approve_plan(
        connection, options.name, options.digest, confirmation=options.confirm
    )
    goes_on = f"a run that waits for it goes on; without one: {found.next_action}"
    _tell(options, found, f"approved by {found.plan.decided_by}; {goes_on}")
    return 0


async def _reject(connection: Connection, options: argparse.Namespace) -> int:
    found = await calls.reject_plan(connection, options.name, options.digest)
    _tell(options, found, f"rejected by {found.plan.decided_by}")
    return 0


async def _apply(connection: Connection, options: argparse.Namespace) -> int:
    if options.auto_approve:
        operation = await calls.plan_stack(connection, options.name)
        code, followed = await _follow(connection, options, operation)
        if code or followed is None:
            return code
        made = await _made(connection, followed)
        if made is None:
            _tell(options, followed.stack, f"stack {options.name} is as it should be: no changes")
            return 0
        if not options.json:
            for line in plan_lines(plan_of(made)):
                talk(line)
        await calls.approve_plan(connection, options.name, made.digest, by_rule=True)
    return await _carry_out(connection, options)


async def _carry_out(connection: Connection, options: argparse.Namespace) -> int:
    operation = await calls.apply_stack(connection, options.name)
    code, followed = await _follow(connection, options, operation)
    if followed is not None:
        _tell(options, followed.stack, "")
        if not options.json and not code:
            for line in stack_lines(stack_of(followed.stack)):
                data(line)
    return code


async def _destroy(connection: Connection, options: argparse.Namespace) -> int:
    operation = await calls.destroy_stack(connection, options.name)
    code, followed = await _follow(connection, options, operation)
    if code or followed is None:
        return code
    made = await _made(connection, followed)
    if made is None:
        _tell(options, followed.stack, f"nothing is left of stack {options.name}")
        return 0
    for line in plan_lines(plan_of(made)):
        talk(line)
    confirmation = options.confirm or await _typed(options.name)
    if not confirmation:
        raise NotPermittedError(
            "CONFIRMATION_NEEDED",
            f"nothing was destroyed; to do it: benchline stack approve {options.name}"
            f" {made.digest[:SHORT_DIGEST]} --confirm {options.name},"
            f" then benchline stack apply {options.name}",
        )
    await calls.approve_plan(connection, options.name, made.digest, confirmation=confirmation)
    return await _carry_out(connection, options)


async def _typed(name: str) -> str:
    """The name of the stack as a person types it; "" where nobody sits in front."""
    from tui.headless.asking import at_terminal

    if not at_terminal():
        return ""
    sys.stderr.write(f"type {name} to destroy it: ")
    sys.stderr.flush()
    line: str = await asyncio.to_thread(sys.stdin.readline)
    return line.strip()


async def _drift(connection: Connection, options: argparse.Namespace) -> int:
    operation = await calls.detect_drift(connection, options.name)
    code, followed = await _follow(connection, options, operation)
    if code or followed is None:
        return code
    drifted = stack_of(followed.stack).drifted
    _tell(options, followed.stack, "")
    if not options.json:
        for address in drifted:
            data(visible(address))
    if drifted:
        talk(f"{len(drifted)} changed outside; `benchline stack plan {options.name}` repairs it")
    return _DIFFERS if drifted else 0


async def _outputs(connection: Connection, options: argparse.Namespace) -> int:
    answer = await calls.stack_outputs(connection, options.name, sensitive=options.sensitive)
    if options.json:
        data(json_line(answer, whole=True))
        return 0
    shown = stack_of(stack_pb2.Stack(name=options.name, outputs=answer.outputs))
    lines = [*output_lines(shown), *(f"{one.name} = {one.json}" for one in answer.sensitive)]
    for line in lines:
        data(visible(line))
    if not lines:
        talk(f"stack {options.name} gives nothing; it was not applied")
    return 0


async def _show(connection: Connection, options: argparse.Namespace) -> int:
    found = await calls.stack(connection, options.name)
    plan = None
    if stack_of(found).plan is not None:
        plan = await calls.newest_plan(connection, options.name)
    if options.json:
        if plan is not None:
            found.plan.CopyFrom(plan)
        data(json_line(found, whole=True))
        return 0
    shown = stack_of(found)
    for line in stack_lines(shown):
        data(line)
    for board in await connection.all_boards():
        if board.cloud.stack == shown.stack_id:
            data(visible(f"board    {board.name}  {cloud_words(board.cloud)}"))
    if plan is not None and plan_of(plan).open:
        for line in plan_lines(plan_of(plan)):
            data(line)
    return 0


async def _watch(connection: Connection, options: argparse.Namespace) -> int:
    events = calls.watch_stack(
        connection,
        options.name,
        from_sequence=options.from_sequence,
        on_away=local.bring_back,
    )
    try:
        async for event in events:
            if isinstance(event, Back):
                talk("connected again")
            else:
                _tell_event(options, event, to=data)
    except asyncio.CancelledError:
        return EXIT_LEFT
    return 0


async def _send(connection: Connection, options: argparse.Namespace) -> int:
    await calls.send_to_device(
        connection,
        options.name,
        device=options.device,
        topic=options.topic,
        payload=options.text.encode(),
    )
    talk(f"the broker has it; {options.device} gets it when it listens to {options.topic}")
    return 0


async def _cancel(connection: Connection, options: argparse.Namespace) -> int:
    operation = await calls.cancel_operation(connection, options.name)
    if options.json:
        data(json_line(operation, whole=True))
    else:
        talk(f"cancel was asked for; `benchline stack watch {options.name}` shows the end")
    return 0


async def _delete(connection: Connection, options: argparse.Namespace) -> int:
    await calls.delete_stack(connection, options.name)
    talk(f"stack {options.name} is forgotten")
    return 0


async def _follow(
    connection: Connection, options: argparse.Namespace, operation: _Operation
) -> tuple[int, calls.FollowedStack | None]:
    """Tell every event of an operation; its exit code, and the stack as it was left."""
    followed: calls.FollowedStack | None = None
    events = calls.watch_operation(connection, options.name, operation, on_away=local.bring_back)
    try:
        async for item in events:
            match item:
                case Back():
                    talk("connected again")
                case calls.FollowedStack():
                    followed = item
                case _:
                    _tell_event(options, item, to=talk)
    except asyncio.CancelledError:
        talk(f"left; it goes on: `benchline stack watch {options.name}` shows it")
        return EXIT_LEFT, None
    if followed is None:
        return EXIT_LEFT, None
    return operation_exit(followed.operation), followed


def operation_exit(operation: _Operation) -> int:
    """0 when it succeeded; 130 cancelled, 2 a setting, 5 something is missing, 3 anything else."""
    if operation.state == _Operation.STATE_SUCCEEDED:
        return 0
    if operation.failure.reason == "VARIABLES_INVALID":
        return EXIT_USAGE
    if operation.state == _Operation.STATE_CANCELLED:
        return EXIT_LEFT
    return exit_code("SKIPPED" if operation.failure.reason in MISSING else "BROKEN")


def _tell_event(
    options: argparse.Namespace, event: event_pb2.Event, *, to: Callable[[str], None]
) -> None:
    if options.json:
        data(json_line(event))
    else:
        for line in stack_event_lines(event_of(event).fact):
            to(line)


def _tell(options: argparse.Namespace, found: stack_pb2.Stack, words: str) -> None:
    """The stack as the last object, or words for a person."""
    if options.json:
        data(json_line(found, whole=True))
    elif words:
        talk(words)
