"""``flash``: images onto many boards, in waves; ``deployments``: the list of what was flashed."""

import argparse
import asyncio
import datetime
from pathlib import Path

from google.protobuf import duration_pb2

from benchline.v1 import deployment_pb2, verdict_pb2
from tui.client.connection import Connection, new_request_id
from tui.client.images import upload_options
from tui.client.translate import board_moved_of, event_of, outcome_of, state_of
from tui.client.watch import Back, watch_deployment
from tui.headless import local
from tui.headless.output import EXIT_LEFT, data, exit_code, json_line, table, talk
from tui.headless.rollout_progress import RolloutProgress
from tui.headless.source import load_scenario
from tui.rollout_wording import board_lines, rollout_ending, rollout_next
from tui.state.rollout import RolloutView
from tui.wording import ending

_PLAN_TIMEOUT_S = 120.0


async def flash(options: argparse.Namespace) -> int:
    """Flash boards and follow them to their end; or follow, repeat or cancel a deployment."""
    connection = await local.ensure_up()
    async with connection:
        if options.cancel:
            return await _cancel(connection, options)
        if options.watch:
            deployment = await connection.deployment(options.watch)
        else:
            deployment = await _create(connection, options)
            talk(f"deployment {deployment.name.rpartition('/')[2]}")
        try:
            return await _follow(connection, deployment.name, options)
        except asyncio.CancelledError:
            await _leave(connection, deployment.name, options)
            return EXIT_LEFT


async def _create(connection: Connection, options: argparse.Namespace) -> deployment_pb2.Deployment:
    request = deployment_pb2.CreateDeploymentRequest(
        request_id=new_request_id(),
        waves=options.waves or (str(options.wave) if options.wave else ""),
    )
    if options.retry:
        wanted = await connection.deployment(options.retry)
        request.retry_of = wanted.name
    else:
        request.selector = options.selector or ""
        request.boards.extend(options.board)
        request.no_reset = options.no_reset
        request.images.extend(
            await upload_options(
                connection, options.image, part=options.part or "", address=options.address
            )
        )
        request.scenarios.extend(load_scenario(Path(one)) for one in options.scenario)
    if options.stop_after is not None or options.max_failed is not None:
        share = 100 if options.max_failed is None else options.max_failed
        request.stop_rule.CopyFrom(
            deployment_pb2.StopRule(stop_after=options.stop_after or 0, max_failed_percent=share)
        )
    if options.wait is not None:
        request.board_wait.CopyFrom(duration_pb2.Duration(seconds=options.wait))
    if options.seed is not None:
        request.seed = options.seed
    answer = await connection.deployments.CreateDeployment(request, timeout=_PLAN_TIMEOUT_S)
    return answer.deployment


async def _follow(connection: Connection, name: str, options: argparse.Namespace) -> int:
    """Tell every event, then every board; gives the exit code of the outcome."""
    deployment = deployment_pb2.Deployment()
    gone = False
    async with RolloutProgress(RolloutView(name=name), plain=options.plain) as progress:

        async def away(reason: str) -> None:
            nonlocal gone
            if not gone:
                progress.say("the server is away; the deployment goes on when it is back")
            gone = True
            await local.bring_back(reason)

        async for event in watch_deployment(connection, name, on_away=away):
            match event:
                case Back():
                    gone = False
                    progress.say("connected again")
                case deployment_pb2.Deployment():
                    deployment = event
                case _:
                    if options.json:
                        data(json_line(event))
                    progress.feed(event_of(event))
    if options.json:
        data(json_line(deployment, whole=True))
    else:
        for board in deployment.boards:
            for line in board_lines(board_moved_of(board)):
                data(line)
        data(rollout_ending(progress.view))
        if steps := rollout_next(progress.view):
            talk(steps)
    if deployment.state == verdict_pb2.STATE_CANCELLED:
        return EXIT_LEFT
    return exit_code(outcome_of(deployment.outcome))


async def _leave(connection: Connection, name: str, options: argparse.Namespace) -> None:
    short = name.rpartition("/")[2]
    if options.cancel_on_exit:
        await connection.cancel_deployment(name)
        talk(f"left; deployment {short} was asked to end")
    else:
        talk(f"left; deployment {short} goes on: `benchline flash --watch {short}` shows it")


async def _cancel(connection: Connection, options: argparse.Namespace) -> int:
    deployment = await connection.deployment(options.cancel)
    ended = await connection.cancel_deployment(deployment.name)
    if options.json:
        data(json_line(ended, whole=True))
    else:
        talk("cancel was asked for; writes that are going on are finished first")
    return 0


async def deployments(options: argparse.Namespace) -> int:
    """List deployments, newest first."""
    connection = await local.ensure_up()
    async with connection:
        found = await connection.all_deployments(options.limit)
    if options.json:
        for deployment in found:
            data(json_line(deployment, whole=True))
        return 0
    rows = [_row(deployment) for deployment in found]
    for line in table(rows):
        data(line)
    if not rows:
        talk("nothing was flashed yet; `benchline flash --image PATH SELECTOR` does")
    return 0


def _row(deployment: deployment_pb2.Deployment) -> tuple[str, ...]:
    created = datetime.datetime.fromtimestamp(
        deployment.create_time.seconds, tz=datetime.UTC
    ).astimezone()
    stands = ending(state_of(deployment.state), outcome_of(deployment.outcome), "")
    images = ", ".join(image.title for image in deployment.images)
    counts = deployment.counts
    return (
        deployment.name.rpartition("/")[2],
        f"{created:%Y-%m-%d %H:%M}",
        stands,
        f"{counts.passed}/{counts.boards} passed",
        images,
    )
