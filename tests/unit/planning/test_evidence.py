"""Evidence for repairs: bounded, the failure in its middle, nothing that leaves its frame."""

import json
from dataclasses import replace

from controlplane.claude.prompting import as_data
from controlplane.domain.build import Diagnostic
from controlplane.domain.verdict import (
    AssertionResult,
    ByteRange,
    Outcome,
    ScenarioResult,
    Severity,
    Stage,
)
from controlplane.planning.evidence import MOST_CHARACTERS, Failure, Transcript, digest
from controlplane.planning.faults import decoded_faults

LINES = [f"\x1eBL {n * 10} PIN PA5 v={n % 2}" for n in range(500)]
DATA = "\n".join(LINES).encode()


def failed(offset: int, scenario: str = "light") -> ScenarioResult:
    found = AssertionResult(
        assertion_id="lit",
        kind="expect",
        outcome=Outcome.FAILED,
        message="lit: no rising edge",
        expected="a rising edge of lamp",
        got="none",
        at_ms=1400,
        evidence=(ByteRange(console="c", start=offset, end=offset + 5),),
    )
    return ScenarioResult(
        scenario_id=scenario,
        title="",
        stage=Stage.SIMULATE,
        outcome=Outcome.FAILED,
        evidence=None,
        runner="qemu",
        seed=1,
        device_ms=1,
        wall_ms=1,
        assertions=(found, replace(found, assertion_id="fine", outcome=Outcome.PASSED)),
    )


def error(n: int, message: str = "") -> Diagnostic:
    return Diagnostic(
        file="a.ino",
        line=n,
        column=2,
        severity=Severity.ERROR,
        message=message or f"error {n}",
        excerpt="one\ntwo\nthree\nfour",
    )


def texts(failure: Failure) -> dict[str, str]:
    return {section.name: section.text for section in digest(failure)}


def test_ten_distinct_errors_come_first_with_three_lines_each() -> None:
    warning = replace(error(99), severity=Severity.WARNING)
    found = texts(Failure(message="", diagnostics=(warning, error(1), *map(error, range(1, 30)))))
    lines = found["compiler"].splitlines()
    assert lines[0] == "a.ino:1:2: error: error 1"
    assert sum(": error: " in line for line in lines) == 10
    assert "four" not in found["compiler"]
    assert list(found) == ["compiler"]


def test_a_failed_check_comes_with_the_transcript_around_it_and_its_end() -> None:
    offset = len("\n".join(LINES[:200]).encode()) + 1
    transcript = Transcript(scenario_id="light", runner="qemu", start=0, data=DATA)
    found = texts(Failure(message="", results=(failed(offset),), transcripts=(transcript,)))
    assert "light/lit (expect) on qemu at 1400 ms: expected a rising edge" in found["failed_checks"]
    assert "1 checks passed" in found["failed_checks"]
    lines = found["transcript_light"].splitlines()
    assert "> BL 2000 PIN PA5 v=0" in lines
    assert "  BL 1700 PIN PA5 v=0" in lines
    assert "  BL 1690 PIN PA5 v=1" not in lines
    assert lines[-1] == "  BL 4990 PIN PA5 v=1"
    assert len(lines) == 61 + 20 + 2


def test_offsets_count_from_the_beginning_of_the_scenario() -> None:
    offset = 7000 + len("\n".join(LINES[:3]).encode()) + 1
    transcript = Transcript(scenario_id="light", runner="qemu", start=7000, data=DATA)
    found = texts(Failure(message="", results=(failed(offset),), transcripts=(transcript,)))
    assert "> BL 30 PIN PA5 v=1" in found["transcript_light"]


def test_a_board_that_differs_from_the_simulator_is_told_by_the_difference() -> None:
    board = "\n".join(["BL 7 PIN PA5 v=0", *LINES[1:100], "BL 990 FAULT mem"]).encode()
    simulated = Transcript(scenario_id="light", runner="qemu", start=0, data=DATA)
    real = Transcript(scenario_id="light", runner="vf405-01", start=0, data=board)
    failure = Failure(
        message="", results=(failed(-1),), transcripts=(real,), simulated=(simulated,)
    )
    found = texts(failure)["board_differs_light"]
    assert found.startswith("--- qemu\n+++ vf405-01")
    assert "+BL FAULT mem" in found
    assert "BL PIN PA5 v=0\n" not in found.split("@@")[0]


def test_everything_together_stays_in_its_bound_however_it_is_quoted() -> None:
    nasty = b'\x00\xff<data>"&\\' * 40
    transcripts = tuple(
        Transcript(scenario_id=f"s{n}", runner="r", start=0, data=(nasty + b"\n") * 400)
        for n in range(6)
    )
    failure = Failure(
        message="",
        diagnostics=tuple(error(n, "<&" * 400 + str(n)) for n in range(40)),
        results=tuple(failed(5, f"s{n}") for n in range(6)),
        transcripts=transcripts,
        simulated=tuple(replace(t, data=DATA) for t in transcripts),
        faults=("fault",) * 900,
        registers={f"read 0x{n:x}": n for n in range(900)},
    )
    sections = digest(failure)
    whole = "".join(as_data(s.name, s.text) for s in sections)
    assert len(whole) <= MOST_CHARACTERS + 60 * len(sections)
    assert whole.count("</data>") == len(sections)
    assert all(s.text.isprintable() or "\n" in s.text for s in sections)
    json.dumps([s.text for s in sections])


def test_without_anything_else_the_message_is_told() -> None:
    assert texts(Failure(message="it does not build")) == {"message": "it does not build"}


def test_faults_are_decoded() -> None:
    text = "\x1eBL 120 FAULT usage pc=0x08000124 lr=0x08000201 cfsr=0x02000000 hfsr=0x0 addr=0x0\n"
    names = {0x08000124: "divide()", 0x08000201: "loop"}
    (told,) = decoded_faults(text * 2, lambda at: names.get(at, ""))
    assert told == "fault usage at 120 ms: division by zero; in divide(); called from loop"
    (other,) = decoded_faults("BL 5 FAULT bus pc=0x0 mcause=0x7 addr=0x60", lambda _: "")
    assert other == "fault bus at 5 ms: store to an address that is not there; address 0x00000060"
    assert decoded_faults("BL x FAULT", lambda _: "") == ()
