"""A sentence becomes firmware that is proved on a board."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import grpc
import pytest

from benchline.scenario import RecordSplitter
from benchline.scenario.trace import diff_traces
from benchline.v1 import console_pb2, console_pb2_grpc
from tests.e2e.conftest import DEMO, ROOT, Finished, Operator

pytestmark = pytest.mark.xdist_group("shared-instance")


def artifact(session: dict, kind: str) -> str:
    return next(a["sha256"] for a in session["artifacts"] if a["kind"] == kind)


def stored(operator: Operator, sha256: str) -> Path:
    return operator.data_dir / "artifacts" / sha256[:2] / sha256[2:]


def console_of(operator: Operator, session: dict, stage: str, scenario: str) -> bytes:
    """The bytes that a scenario's result points to."""
    result = next(
        r
        for r in session["scenarioResults"]
        if r["stage"] == f"STAGE_{stage}" and r["scenarioId"] == scenario
    )
    span = result["console"]
    with grpc.insecure_channel(operator.instance()["target"]) as channel:
        answers = console_pb2_grpc.ConsoleServiceStub(channel).ReadConsole(
            console_pb2.ReadConsoleRequest(
                console=span["console"], offset=int(span.get("start", 0)), end=int(span["end"])
            ),
            timeout=60,
        )
        return b"".join(chunk.data for answer in answers for chunk in answer.chunks)


def test_the_demo_passes_on_a_virtual_board(demo: Finished) -> None:
    session = demo.session

    assert demo.code == 0, demo
    assert session["outcome"] == "OUTCOME_PASSED"
    assert session["evidence"] == "EVIDENCE_VIRTUAL"
    assert [s["stage"] for s in session["stages"]] == [
        "STAGE_DESIGN",
        "STAGE_BUILD",
        "STAGE_SIMULATE",
        "STAGE_DEPLOY",
    ]
    assert all(s["outcome"] == "OUTCOME_PASSED" for s in session["stages"])
    assert all(float(s["duration"].removesuffix("s")) > 0 for s in session["stages"])
    assert all(r["outcome"] == "OUTCOME_PASSED" for r in session["scenarioResults"])
    # In the order of the design, although the control run is shorter and ends first.
    simulated = [r for r in session["scenarioResults"] if r["stage"] == "STAGE_SIMULATE"]
    assert [r["scenarioId"] for r in simulated] == ["main", "control"]


def test_its_events_are_numbered_without_gaps_and_tell_every_kind(
    operator: Operator, demo: Finished
) -> None:
    watched = operator("watch", demo.session["name"], "--json")
    events = [line for line in watched.lines if "sequence" in line]
    facts = {key for event in events for key in event}

    assert [int(e["sequence"]) for e in events] == list(range(1, len(events) + 1))
    assert facts >= {
        "attemptChanged",
        "assertionDecided",
        "flash",
        "flashProgress",
        "consoleRange",
        "scenarioFinished",
        "leaseChanged",
        "designMade",
        "artifact",
    }


def test_a_watch_resumes_at_any_sequence(operator: Operator, demo: Finished) -> None:
    watched = operator("watch", demo.session["name"], "--from-sequence", "7", "--json")

    assert int(watched.lines[0]["sequence"]) == 7


def test_each_image_is_written_once(operator: Operator, demo: Finished) -> None:
    watched = operator("watch", demo.session["name"], "--json")
    begun = [e["flash"] for e in watched.lines if "flash" in e and "outcome" not in e["flash"]]

    assert [f["image"] for f in begun].count("test") == 1
    assert [f["image"] for f in begun].count("release") == 1


def test_stock_pyocd_reads_back_exactly_the_released_artifact(
    operator: Operator, demo: Finished, tmp_path: Path
) -> None:
    board = next(
        b for b in operator("boards", "--json").lines if b["name"] == demo.session["board"]
    )
    released = stored(operator, artifact(demo.session, "firmware.release.bin")).read_bytes()
    dump = tmp_path / "dump.bin"

    subprocess.run(
        [
            str(Path(sys.executable).parent / "pyocd"),
            "cmd",
            "--uid",
            board["probeId"],
            "--target",
            "stm32f412xg",
            "--connect",
            "attach",
            "--command",
            f"savemem 0x08000000 {len(released)} {dump}",
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )

    assert hashlib.sha256(dump.read_bytes()).digest() == hashlib.sha256(released).digest()


def test_every_runner_leaves_a_junit_report(operator: Operator, demo: Finished) -> None:
    for runner in {r["runner"] for r in demo.session["scenarioResults"]}:
        text = stored(operator, artifact(demo.session, f"report.junit.{runner}")).read_text()
        suites = ElementTree.fromstring(text)
        cases = {case.get("name") for case in suites.iter("testcase")}

        assert any("led_rate" in str(name) for name in cases), cases
        assert not list(suites.iter("failure"))


def test_the_release_image_says_no_records(operator: Operator, demo: Finished) -> None:
    image = stored(operator, artifact(demo.session, "firmware.release.bin")).read_bytes()

    assert b"BL " not in image
    assert b"BTL1" not in image


def test_the_trace_on_the_board_equals_the_simulated_one(
    operator: Operator, demo: Finished
) -> None:
    for scenario in {r["scenarioId"] for r in demo.session["scenarioResults"]}:
        simulated, on_board = (
            RecordSplitter().feed(console_of(operator, demo.session, stage, scenario))
            for stage in ("SIMULATE", "DEPLOY")
        )
        diff = diff_traces(simulated, on_board, tolerance_ms=30)

        assert diff.equal, diff
    compared = operator("scenario", "diff", demo.session["name"], "--tolerance", "30")
    assert compared.code == 0, compared


def test_boards_are_listed_by_selector(operator: Operator, demo: Finished) -> None:
    listed = operator("boards", "list", "model=olimex-stm32-h405")
    nothing = operator("boards", "nonsense=1")
    none = operator("boards", "part=esp32s3")

    assert "vf405-01" in listed.out
    assert nothing.code == 2, nothing
    assert none.code == 0
    assert "no board matches 'part=esp32s3'" in none.talk


def test_a_model_that_no_bench_has_is_told_at_once_and_not_waited_for(operator: Operator) -> None:
    run = operator("run", "Blink the LED at 2 Hz.", "--board", "nucleo-f446re", "--json")

    assert run.code == 3, run
    stages = {s["stage"]: s["outcome"] for s in run.session["stages"]}
    assert stages["STAGE_SIMULATE"] == "OUTCOME_PASSED"
    assert stages["STAGE_DEPLOY"] == "OUTCOME_BROKEN"
    assert "no board matches 'model=nucleo-f446re'; the benches have " in run.session["message"]
    told = [line.get("note", {}).get("text", "") for line in run.lines]
    first = next(n for n, text in enumerate(told) if "--until simulate" in text)
    built = next(n for n, line in enumerate(run.lines) if line.get("stage") == "STAGE_BUILD")
    assert first < built
    waited = [line for line in run.lines if "STATE_WAITING" in str(line.get("stageChanged"))]
    assert not waited


def test_five_simulations_give_the_same_bytes(
    operator: Operator, project: Path, demo: Finished, tmp_path: Path
) -> None:
    seen = set()
    for number in range(5):
        copy = tmp_path / f"run{number}"
        copy.mkdir()
        for file in project.rglob("*"):
            if file.is_file():
                target = copy / file.relative_to(project)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read_bytes())
        # A comment that differs makes it another build of the same program: nothing is cached.
        for sketch in copy.glob("*.ino"):
            sketch.write_text(sketch.read_text() + f"// {number}\n")
        run = operator("run", "--from", str(copy), "--seed", "7", "--until", "simulate", "--json")
        assert run.code == 0, run
        console = console_of(operator, run.session, "SIMULATE", "main")
        seen.add(re.sub(rb"build=[0-9a-f]{12}", b"build=", console))

    assert len(seen) == 1


@pytest.mark.parametrize("client", ["python", "node"])
def test_the_example_client_drives_a_session(operator: Operator, client: str) -> None:
    target = operator.instance()["target"]
    examples = ROOT / "docs/examples"
    command = {
        "python": [sys.executable, str(examples / "python/run_session.py")],
        "node": ["node", str(examples / "node/run_session.mjs")],
    }[client]

    done = subprocess.run(
        [*command, target, "Blink the on-board LED at 4 Hz"],
        capture_output=True,
        text=True,
        timeout=120,
        env=operator.environment,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "OUTCOME_PASSED" in done.stdout


def test_a_design_is_kept_drawn_edited_and_used_by_stages_alone(
    operator: Operator, tmp_path: Path
) -> None:
    prompt = "Blink the on-board LED at 4 Hz"
    kept = operator("design", prompt, "--name", "blinker", "--note", "first")
    svg = operator("design", "show", "blinker", "--wiring", "svg")
    title = tmp_path / "title.yaml"
    title.write_text("title: Blinker\n")
    edited = operator("design", "edit", "blinker", str(title), "--field", "title")
    diff = operator("design", "diff", "blinker@1", "blinker")
    document = tmp_path / "design.json"
    document.write_text(operator("design", "show", "blinker", "--document").out)
    run = operator("run", "--design", "blinker", "--until", "simulate", "--json")
    example = ROOT / "docs/examples/python/build_and_simulate.py"
    done = subprocess.run(
        [sys.executable, str(example), operator.instance()["target"], str(document)],
        capture_output=True,
        text=True,
        timeout=120,
        env=operator.environment,
        check=False,
    )

    assert kept.code == svg.code == edited.code == 0, (kept, svg, edited)
    assert svg.out.startswith("<svg ")
    assert diff.code == 1
    assert diff.out.strip().endswith("is Blinker")
    assert run.code == 0, run
    assert run.session["design"] == "designs/blinker/revisions/2"
    assert done.returncode == 0, done.stdout + done.stderr
    assert "main OUTCOME_PASSED" in done.stdout


def test_reflection_and_health_answer(operator: Operator) -> None:
    script = (
        "import sys, grpc\n"
        "from grpc_health.v1 import health_pb2, health_pb2_grpc\n"
        "from grpc_reflection.v1alpha.proto_reflection_descriptor_database import "
        "ProtoReflectionDescriptorDatabase as Db\n"
        "channel = grpc.insecure_channel(sys.argv[1])\n"
        "health = health_pb2_grpc.HealthStub(channel)\n"
        "print(health.Check(health_pb2.HealthCheckRequest(), timeout=60).status)\n"
        "print(*Db(channel).get_services())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, operator.instance()["target"]],
        capture_output=True,
        text=True,
        timeout=60,
        env=operator.environment,
        check=False,
    )

    assert done.stdout.startswith("1\n"), done.stderr
    assert "benchline.v1.SessionService" in done.stdout


def test_a_repeat_with_nothing_changed_is_taken_from_what_is_known(
    operator: Operator, demo: Finished
) -> None:
    again = operator("run", DEMO, "--until", "simulate", "--json")

    assert again.code == 0, again
    cached = {s["stage"]: s["cached"] for s in again.session["stages"]}
    assert cached["STAGE_BUILD"]
    assert cached["STAGE_SIMULATE"]
