"""``eval``: every sentence of a prompt set as real sessions, judged by its labels."""

import argparse
import asyncio
import datetime
import json
import os
import platform
import uuid
from pathlib import Path

import grpc

from benchline.errors import InvalidRequestError
from benchline.v1 import server_pb2
from tui.client.connection import CALL_TIMEOUT_S, Connection
from tui.evaluation.labels import Case, PromptSet
from tui.evaluation.oracle import Verdict
from tui.evaluation.page import renew_page
from tui.evaluation.reader import read_set
from tui.evaluation.results import Plan, Results, Trial, load
from tui.evaluation.scoring import exit_code, score
from tui.evaluation.telling import tell, trial_line
from tui.headless import local
from tui.headless.eval_sessions import Order, orders_of, run_order
from tui.headless.output import EXIT_LEFT, data, talk
from tui.headless.status_line import StatusLine
from tui.wording import why_unread


async def evaluate(options: argparse.Namespace) -> int:
    """Run an evaluation, or what is left of one that was begun."""
    path = Path(options.file)
    prompts = await asyncio.to_thread(_read, path)
    plan = _plan(prompts, options)
    out = Path(options.out or f"{path.stem}.{plan.designer}.{plan.until}.json")
    results = None if options.fresh else await asyncio.to_thread(load, out, plan)
    connection = await local.ensure_up(need_boards=plan.until == "deploy")
    async with connection:
        if results is None:
            results = await _begin(connection, plan)
            await asyncio.to_thread(results.save, out)
        orders = orders_of(prompts, results)
        total = len(plan.cases) * plan.repeat
        async with _Progress(total, results) as progress:
            if results.trials:
                progress.say(f"going on with {out}: {total - len(orders)} of {total} are done")
            try:
                await _run_all(connection, prompts, results, orders, out, options.jobs, progress)
            except asyncio.CancelledError:
                progress.say(f"left; the same command goes on with {out}")
                return EXIT_LEFT
    return await asyncio.to_thread(_finish, prompts, results, out, options)


def _read(path: Path) -> PromptSet:
    try:
        return read_set(path.read_bytes())
    except OSError as error:
        raise InvalidRequestError(
            "SOURCE_UNUSABLE", f"{path} cannot be read: {why_unread(error)}"
        ) from error


def _plan(prompts: PromptSet, options: argparse.Namespace) -> Plan:
    chosen = [case for case in prompts.cases if not options.case or case.id in options.case]
    unknown = set(options.case) - {case.id for case in prompts.cases}
    if unknown:
        raise InvalidRequestError("NO_SUCH_CASE", f"no case {', '.join(sorted(unknown))}")
    return Plan(
        title=prompts.title,
        prompts_sha256=prompts.sha256,
        cases=tuple(case.id for case in chosen[: options.limit]),
        designer=options.designer,
        until=options.until,
        seed=options.seed,
        repeat=options.repeat,
    )


async def _begin(connection: Connection, plan: Plan) -> Results:
    request = server_pb2.GetServerRequest()
    try:
        version = (await connection.server.GetServer(request, timeout=CALL_TIMEOUT_S)).version
    except grpc.aio.AioRpcError:
        version = "unknown"
    return Results(
        plan=plan, run_id=str(uuid.uuid4()), machine=_machine(), begun=_now(), server=version
    )


def _machine() -> str:
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}"
    )


def _now() -> str:
    return datetime.datetime.now(tz=datetime.UTC).isoformat(timespec="seconds")


async def _run_all(
    connection: Connection,
    prompts: PromptSet,
    results: Results,
    orders: list[Order],
    out: Path,
    jobs: int,
    progress: "_Progress",
) -> None:
    """So many sessions at a time; each is written down as soon as it is judged."""
    waiting = iter(orders)

    async def work() -> None:
        for order in waiting:
            progress.begun(order)
            trial = await run_order(connection, prompts, results, order)
            results.trials[trial.key] = trial
            results.save(out)
            progress.done(trial)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(jobs):
                group.create_task(work())
    except ExceptionGroup as several:
        raise several.exceptions[0] from None


def _finish(prompts: PromptSet, results: Results, out: Path, options: argparse.Namespace) -> int:
    results.ended = results.ended or _now()
    trials = list(results.trials.values())
    cases: list[Case] = [case for case in prompts.cases if case.id in set(results.plan.cases)]
    told = score(cases, trials)
    results.save(out, told.as_json())
    if options.page:
        renew_page(Path(options.page), results, told)
    lines = tell(results, told)
    for line in lines:
        talk(line)
    talk(f"results in {out}")
    if options.json:
        data(json.dumps(results.document() | {"summary": told.as_json()}, ensure_ascii=False))
    return exit_code(trials)


class _Progress(StatusLine):
    def __init__(self, total: int, results: Results) -> None:
        super().__init__()
        self._total = total
        self._results = results
        self._running: dict[tuple[str, int], str] = {}

    def begun(self, order: Order) -> None:
        self._running[order.case.id, order.repeat] = order.case.id

    def done(self, trial: Trial) -> None:
        self._running.pop(trial.key, None)
        self.say(trial_line(trial))

    def status(self) -> str:
        trials = self._results.trials
        wrong = sum(one.verdict is Verdict.ACCEPTED_WRONG for one in trials.values())
        bad = f", {wrong} accepted wrong" if wrong else ""
        return f"{len(trials)} of {self._total}{bad}: {', '.join(self._running.values())}"
