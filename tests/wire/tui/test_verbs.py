import asyncio
import json
import signal
from pathlib import Path

import pytest

from benchline.instance import Instance
from benchline.v1 import verdict_pb2
from tests.wire.tui.conftest import Command
from tests.wire.tui.fake_server import FakeControlPlane, passed_events


def lines_of(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


async def test_run_prints_every_event_and_then_the_finished_session(
    plane: FakeControlPlane, benchline: Command
) -> None:
    ran = await benchline("run", "Blink the LED at 2 Hz.", "--seed", "7", "--json")

    told = lines_of(ran.out)
    assert ran.code == 0
    assert [int(str(one["sequence"])) for one in told[:-1]] == list(range(1, len(told)))
    assert told[-1]["state"] == "STATE_DONE"
    assert told[-1]["outcome"] == "OUTCOME_PASSED"
    assert told[-1]["findings"] == []
    assert plane.created[0].seed == 7
    assert "relay_on" in ran.err


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (verdict_pb2.OUTCOME_FAILED, 1),
        (verdict_pb2.OUTCOME_BROKEN, 3),
        (verdict_pb2.OUTCOME_REFUSED, 4),
        (verdict_pb2.OUTCOME_SKIPPED, 5),
    ],
)
async def test_the_exit_code_tells_the_outcome(
    plane: FakeControlPlane, benchline: Command, outcome: int, code: int
) -> None:
    plane.outcome = outcome
    assert (await benchline("run", "Blink.")).code == code


async def test_a_refused_prompt_names_the_reason_and_is_a_usage_error(
    plane: FakeControlPlane, benchline: Command
) -> None:
    ran = await benchline("run", "Send e-mail.", "--json")
    assert (ran.code, ran.out) == (2, "")
    assert "PROMPT_REFUSED: mail is not a thing" in ran.err


async def test_a_watch_resumes_after_the_last_event_it_saw(
    plane: FakeControlPlane, benchline: Command
) -> None:
    plane.add_session()
    plane.break_after = 5
    ran = await benchline("watch", "01kdemo", "--json")
    sequences = [int(str(one["sequence"])) for one in lines_of(ran.out)[:-1]]
    assert sequences == list(range(1, len(passed_events()) + 1))
    assert plane.watch_starts == [1, 6]
    assert "the server is away" in ran.err


async def test_telemetry_goes_on_by_itself_when_the_control_plane_is_back(
    instance: Instance, plane: FakeControlPlane, benchline: Command
) -> None:
    stacks = plane.stacks
    stacks.add()
    stacks.publish("lamp", "temperature", b"1")
    stacks.publish("lamp", "temperature", b"2")
    child = await benchline.start("stack", "telemetry", "greenhouse", "--follow", "--json")
    assert child.stdout is not None
    assert child.stderr is not None
    async with asyncio.timeout(60):
        first = [json.loads(await child.stdout.readline())["count"] for _ in range(2)]
        await plane.stop()
        while b"the server is away" not in await child.stderr.readline():
            pass
        del stacks.messages[:]
        stacks.publish("lamp", "temperature", b"3")
        await plane.serve(instance.target)
        again = json.loads(await child.stdout.readline())
        child.send_signal(signal.SIGINT)
        rest, err = await child.communicate()

    assert (first, again["count"], rest) == (["1", "2"], "1", b"")
    assert b"connected again" in err
    assert b"lamp is counted anew" in err
    assert child.returncode == 130


async def test_leaving_lets_the_session_go_on_and_says_how_to_see_it(
    plane: FakeControlPlane, benchline: Command
) -> None:
    plane.hold_at = 8
    child = await benchline.start("run", "Blink.", "--json")
    assert child.stdout is not None
    async with asyncio.timeout(60):
        while b'"sequence": "7"' not in await child.stdout.readline():
            pass
        child.send_signal(signal.SIGINT)
        _, err = await child.communicate()
    assert child.returncode == 130
    assert b"benchline watch 01kdemo" in err
    assert plane.cancelled == []


async def test_leaving_cancels_when_asked_to(plane: FakeControlPlane, benchline: Command) -> None:
    plane.hold_at = 8
    child = await benchline.start("run", "Blink.", "--json", "--cancel-on-exit")
    assert child.stdout is not None
    async with asyncio.timeout(60):
        while b'"sequence": "7"' not in await child.stdout.readline():
            pass
        child.send_signal(signal.SIGTERM)
        await child.communicate()
    assert child.returncode == 130
    assert plane.cancelled == ["sessions/01kdemo"]


async def test_a_directory_becomes_a_source_with_its_design_and_scenarios(
    plane: FakeControlPlane, benchline: Command, tmp_path: Path
) -> None:
    project = tmp_path / "blinker"
    (project / "scenarios").mkdir(parents=True)
    (project / "blinker.ino").write_text("void setup() {}\nvoid loop() {}\n")
    (project / "design.json").write_text("{}")
    (project / "scenarios" / "main.yaml").write_text("scenario: 1\nid: main\n")

    ran = await benchline("run", "--from", str(project), "--until", "simulate")

    source = plane.created[0].source
    assert ran.code == 0
    assert [one.path for one in source.files] == ["blinker.ino"]
    assert (source.design_json, source.title) == ("{}", "blinker")
    assert [one.scenario_id for one in source.scenarios] == ["main"]
    assert plane.created[0].until == verdict_pb2.STAGE_SIMULATE


async def test_an_image_is_uploaded_under_its_digest(
    plane: FakeControlPlane, benchline: Command, tmp_path: Path
) -> None:
    image = tmp_path / "fw.elf"
    image.write_bytes(b"\x7fELF" + bytes(1_500_000))
    scenario = tmp_path / "s.yaml"
    scenario.write_text("scenario: 1\n")

    ran = await benchline("run", "--from", str(image), "--scenario", str(scenario))

    source = plane.created[0].source
    assert ran.code == 0
    (file,) = source.image.files
    assert plane.uploads[file.sha256] == image.read_bytes()
    assert (source.image.title, file.filename) == ("fw.elf", "fw.elf")
    assert len(source.scenarios) == 1


async def test_boards_never_loads_textual(plane: FakeControlPlane, benchline: Command) -> None:
    benchline.environment["PYTHONPROFILEIMPORTTIME"] = "1"
    ran = await benchline("boards", "--json")
    assert [one["name"] for one in lines_of(ran.out)] == [board.name for board in plane.boards]
    assert "textual" not in ran.err


async def test_show_tells_wiring_sketch_evidence_and_transcript(
    plane: FakeControlPlane, benchline: Command
) -> None:
    plane.add_session()
    ran = await benchline("show", "01kd")
    assert ran.code == 0
    for part in ("free output", "void setup()", "· BL 3000 PIN PB0 v=1", "temperature 31.5 C"):
        assert part in ran.out
    shown = lines_of((await benchline("show", "01kd", "--json")).out)
    assert set(shown[0]) >= {"session", "design", "sources", "build"}


async def test_an_unknown_session_is_a_usage_error(
    plane: FakeControlPlane, benchline: Command
) -> None:
    ran = await benchline("cancel", "zzz")
    assert ran.code == 2
    assert "SESSION_NOT_FOUND" in ran.err


async def test_sessions_cancel_lease_and_doctor_answer(
    plane: FakeControlPlane, benchline: Command
) -> None:
    plane.add_session("Blink \x1b[31m red")
    listed = await benchline("sessions")
    assert "01kdemo" in listed.out
    assert "\x1b" not in listed.out
    assert (await benchline("cancel", "01kdemo", "--json")).code == 0
    assert "leases/l1" in (await benchline("lease", "acquire", "name=vf405-01")).out
    assert "leases/l1" in (await benchline("lease", "list")).out
    assert (await benchline("lease", "release", "l1")).code == 0


async def test_what_is_typed_at_a_board_is_a_line_and_its_answer_is_shown(
    plane: FakeControlPlane, benchline: Command
) -> None:
    ran = await benchline("console", "vf405-01", "--send", "status", "--for", "0.5")
    assert (ran.code, ran.out) == (0, "status\n")
    assert plane.sent == [b"status\n"]


async def test_a_board_in_use_takes_no_line_and_the_holder_is_named(
    plane: FakeControlPlane, benchline: Command
) -> None:
    plane.busy = True
    plane.boards[0].holder = "sessions/01kdemo"
    ran = await benchline("console", "vf405-01", "--send", "status", "--for", "0.5")
    assert (ran.code, ran.out) == (4, "")
    assert "BOARD_BUSY: vf405-01 is held by 01kdemo" in ran.err


async def test_design_shows_what_was_understood_and_refuses_the_rest(
    plane: FakeControlPlane, benchline: Command
) -> None:
    good = await benchline("design", "Blink the LED.")
    assert (good.code, "blink the LED" in good.out) == (0, True)
    bad = await benchline("design", "Blink and mail me.", "--json")
    assert bad.code == 4
    assert lines_of(bad.out)[0]["outcome"] == "OUTCOME_REFUSED"


async def test_an_exported_project_is_what_run_from_takes(
    plane: FakeControlPlane, benchline: Command, tmp_path: Path
) -> None:
    plane.add_session()
    folder = tmp_path / "out"
    assert (await benchline("project", "export", "01kdemo", str(folder))).code == 0
    written = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert written == {
        "temperature_relay.ino",
        "design.json",
        "scenarios/main.yaml",
        "wiring.svg",
        "wiring.mmd",
        "bom.csv",
    }
    assert (await benchline("run", "--from", str(folder))).code == 0
    assert plane.created[-1].source.design_json == '{"design": 1}'


async def test_scenario_check_names_the_line_of_each_finding(
    benchline: Command, tmp_path: Path
) -> None:
    good = tmp_path / "good.yaml"
    good.write_text(
        "scenario: 1\nid: boots\ntitle: It starts\nduration: 2s\nsteps:\n  - reset: {}\n"
        "  - expect: {id: boot, type: READY, within: 1s}\n"
    )
    bad = tmp_path / "bad.yaml"
    bad.write_text(good.read_text().replace("within: 1s", "within: 1 parsec"))
    assert (await benchline("scenario", "check", str(good))).code == 0
    ran = await benchline("scenario", "check", str(bad))
    assert ran.code == 1
    assert f"{bad}:7: error" in ran.out


async def test_scenario_diff_compares_simulator_and_board(
    plane: FakeControlPlane, benchline: Command
) -> None:
    plane.add_session()
    ran = await benchline("scenario", "diff", "01kdemo")
    assert (ran.code, "BOTH_PASS" in ran.out) == (0, True)
    missing = await benchline("scenario", "diff", "01kdemo", "other")
    assert (missing.code, "NOTHING_TO_COMPARE" in missing.err) == (4, True)


async def test_scenario_diff_of_two_files_names_the_first_difference(
    benchline: Command, tmp_path: Path
) -> None:
    head = b"\x1eBL 0 BOOT core=1 nonce=00000001\n"
    one, other = tmp_path / "one.bin", tmp_path / "other.bin"
    one.write_bytes(head + b"\x1eBL 5 PIN PB0 v=1\n\x1eBL 90 END dropped=0\n")
    other.write_bytes(head + b"\x1eBL 5 PIN PB0 v=0\n\x1eBL 90 END dropped=0\n")
    ran = await benchline("scenario", "diff", str(one), str(other), "--json")
    assert ran.code == 1
    assert lines_of(ran.out)[0]["divergence"]["channel"] == "PIN PB0"


async def test_a_ceiling_goes_with_a_designer_that_costs_money(
    plane: FakeControlPlane, benchline: Command
) -> None:
    ran = await benchline("run", "Blink.", "--designer", "claude", "--ceiling", "0.50")
    alone = await benchline("run", "Blink.", "--ceiling", "0.50")
    wrong = await benchline("design", "Blink.", "--designer", "claude", "--ceiling", "free")

    assert plane.created[0].cost_ceiling_micro_usd == 500_000
    assert (ran.code, len(plane.created)) == (0, 1)
    assert (alone.code, wrong.code) == (2, 2)
    assert "--designer claude" in alone.err
    assert "free is not an amount" in wrong.err


async def test_the_attempts_are_printed_whole_with_what_they_were_made_from(
    plane: FakeControlPlane, benchline: Command
) -> None:
    session = plane.add_session()
    lines = "".join(f"+line {n} \x1b[31m\n" for n in range(100))
    plane.uploads |= {"d" * 64: f"--- a\n+++ b\n{lines}".encode(), "e" * 64: b"it does not build"}
    session.attempt = 2
    session.cost_ceiling_micro_usd = 2_000_000
    session.artifacts.add(kind="evidence.1", sha256="e" * 64)
    failed, passed = verdict_pb2.OUTCOME_FAILED, verdict_pb2.OUTCOME_PASSED
    told = {"calls": 1, "cost_micro_usd": 43_200, "state": verdict_pb2.STATE_DONE}
    session.attempts.add(attempt=1, outcome=failed, message="later was not declared", **told)
    session.attempts.add(
        attempt=2, outcome=passed, diff_sha256="d" * 64, files_changed=1, lines_added=100, **told
    )
    brief = await benchline("show", "01kdemo", "--no-transcript")
    whole = await benchline("show", "01kdemo", "--attempts")
    as_json = await benchline("show", "01kdemo", "--attempts", "--json")

    assert (brief.code, whole.code, as_json.code) == (0, 0, 0)
    assert "more lines (--attempts prints them)" in brief.out
    assert "+line 99 ␛[31m" in whole.out
    assert "| it does not build" in whole.out
    assert "cost     $0.0864 of at most $2.00" in whole.out
    assert "attempt 2 is proved" in whole.out
    first, second = lines_of(as_json.out)
    assert (first["attempt"], first["evidence"], first["diff"]) == (1, "", "")
    assert (second["evidence"], str(second["diff"])[:5]) == ("it does not build", "--- a")
