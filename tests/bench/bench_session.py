"""From a sentence to a simulated verdict, and what a command line costs.

`python -m tests.bench.bench_session [ROUNDS]`. Every prompt that counts as new has other numbers
than all before it, so that design, sketch, image and scenarios are new; the core's objects are warm
after the first. The seconds are those between sending CreateSession and reading the DONE event on
a server that runs, and those of the whole `benchline run` process.
"""

import asyncio
import random
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from typing import Any

from benchline.channel import open_channel
from benchline.v1 import session_pb2, session_pb2_grpc, verdict_pb2
from tests.bench.live import ROOT, Live, live_instance
from tests.bench.row import Row

PROMPT = (
    "Blink the on-board LED at {hertz} Hz and report the temperature every second; switch a relay "
    "on above {above} C and off below {below} C; answer 'status' with the last temperature."
)


def prompts(seed: int) -> Iterator[str]:
    """Sentences with other numbers each time, without end."""
    draw = random.Random(seed)
    seen = set()
    while True:
        below = draw.randint(200, 500) / 10
        numbers = (draw.choice((1, 2, 4, 5)), round(below + draw.randint(10, 90) / 10, 1), below)
        if numbers not in seen:
            seen.add(numbers)
            yield PROMPT.format(hertz=numbers[0], above=numbers[1], below=numbers[2])


async def verdict(stub: Any, prompt: str) -> float:
    """Seconds from sending a sentence to reading that its simulation passed."""
    started = time.perf_counter()
    request = session_pb2.CreateSessionRequest(
        request_id=str(uuid.uuid4()), prompt=prompt, until=verdict_pb2.STAGE_SIMULATE
    )
    name = (await stub.CreateSession(request, timeout=30)).session.name
    watch = stub.WatchSession(session_pb2.WatchSessionRequest(name=name, from_sequence=1))
    async for answer in watch:
        for event in answer.events:
            change = event.session_changed
            if change.state == verdict_pb2.STATE_DONE:
                if change.outcome != verdict_pb2.OUTCOME_PASSED:
                    raise RuntimeError(change.message)
                return time.perf_counter() - started
    raise RuntimeError("the watch ended before the session")


async def stage_seconds(stub: Any, samples: dict[str, list[float]]) -> None:
    """Add the stage durations of the newest session."""
    newest = await stub.ListSessions(session_pb2.ListSessionsRequest(page_size=1), timeout=30)
    for record in newest.sessions[0].stages:
        stage = verdict_pb2.Stage.Name(record.stage).removeprefix("STAGE_").lower()
        samples.setdefault(stage, []).append(record.duration.ToNanoseconds() / 1e9)


async def at_the_api(target: str, rounds: int, seed: int) -> dict[str, list[float]]:
    """Seconds of new sentences, of exact repeats, and of the stages of the new ones."""
    found: dict[str, list[float]] = {"first": [], "new": [], "repeat": []}
    fresh = prompts(seed)
    async with open_channel(target) as channel:
        stub: Any = session_pb2_grpc.SessionServiceStub(channel)
        found["first"].append(await verdict(stub, next(fresh)))
        for _ in range(rounds):
            prompt = next(fresh)
            found["new"].append(await verdict(stub, prompt))
            await stage_seconds(stub, found)
            found["repeat"].append(await verdict(stub, prompt))
    return found


def on_the_command_line(live: Live, rounds: int, seed: int) -> dict[str, list[float]]:
    """Seconds of whole processes: a new sentence, its repeat, --help, a bare interpreter."""
    found: dict[str, list[float]] = {"new": [], "repeat": [], "help": [], "bare": []}
    fresh = prompts(seed)
    for _ in range(rounds):
        prompt = next(fresh)
        for kind in ("new", "repeat"):
            seconds, session = live.timed("run", prompt, "--until", "simulate")
            if session["outcome"] != "OUTCOME_PASSED":
                raise RuntimeError(session["message"])
            found[kind].append(seconds)
        found["help"].append(process_seconds(live, str(ROOT / "benchline"), "--help"))
        found["bare"].append(process_seconds(live, sys.executable, "-P", "-c", "import argparse"))
    return found


def process_seconds(live: Live, *words: str) -> float:
    """Seconds of one process from its start to its end."""
    started = time.perf_counter()
    subprocess.run(words, env=live.environment, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def measure(rounds: int) -> tuple[list[Row], list[str]]:
    """Rows of the table, and notes: where the time of a new sentence goes."""
    seed = random.SystemRandom().randrange(1 << 32)
    with live_instance() as live:
        api = asyncio.run(at_the_api(live.target, rounds, seed))
        shell = on_the_command_line(live, rounds, seed + 1)
    stages = ", ".join(
        f"{stage} {statistics.median(api[stage]):.3f} s"
        for stage in ("design", "build", "simulate")
    )
    rows = [
        Row(what="a new sentence to a simulated verdict, at the API", ours=api["new"], most_s=2.0),
        Row(what="the same, the whole `benchline run`", ours=shell["new"], most_s=2.0),
        Row(
            what="an exact repeat, at the API",
            ours=api["repeat"],
            beside=api["new"],
            beside_what="new",
            most_s=0.3,
        ),
        Row(
            what="the same, the whole `benchline run`",
            ours=shell["repeat"],
            beside=shell["new"],
            beside_what="new",
        ),
        Row(
            what="`benchline --help`",
            ours=shell["help"],
            beside=shell["bare"],
            beside_what="bare interpreter",
            most_s=0.2,
        ),
    ]
    notes = [
        f"A new sentence spends (medians of stages): {stages}.",
        f"The first sentence, with nothing in the object cache, took {api['first'][0]:.2f} s.",
    ]
    return rows, notes


if __name__ == "__main__":
    rows, notes = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
    sys.stdout.write("\n".join([*(row.markdown() for row in rows), *notes]) + "\n")
