"""What is said about stacks, and what the command line takes."""

import pytest

from benchline.v1 import bench_pb2, stack_pb2
from tui.client.bench_facts import board_of, cloud_words
from tui.client.stack_facts import telemetry_of
from tui.stack_wording import (
    plan_lines,
    stack_cells,
    stack_event_lines,
    stack_lines,
    telemetry_line,
)
from tui.state.fact import Fact
from tui.state.stack import (
    AttributeMoved,
    DeviceFact,
    OperationMoved,
    PlanMoved,
    ProvisioningSaid,
    ResourceAdvanced,
    ResourceDrifted,
    Reviewed,
    SecretsRead,
    StackFact,
    StackMoved,
)
from tui.verbs import build_parser
from tui.wording import board_line

DIGEST = "ab" * 32


def test_a_plan_shows_what_goes_away_and_every_attribute_on_one_line() -> None:
    plan = PlanMoved(
        digest=DIGEST,
        state="PROPOSED",
        remove=1,
        add=1,
        changes=(
            Reviewed(address="x.gone", action="DELETE", reason="no longer wished"),
            Reviewed(
                address="x.new",
                action="CREATE",
                attributes=(
                    AttributeMoved(name="key", before="", after="(sensitive)"),
                    AttributeMoved(
                        name="text", before="a\nb", after="c" * 99, forces_replacement=True
                    ),
                ),
            ),
        ),
        replaced=("x.new",),
    )
    assert plan_lines(plan) == [
        "plan abababababab  PROPOSED  1 to destroy, 1 to add",
        "  - x.gone  DELETE  (no longer wished)",
        "  + x.new  CREATE",
        "      key: (sensitive)",
        f"      text: a b → {'c' * 59}…  forces the replacement",
        "made anew, because an earlier run never finished them:",
        "  x.new",
    ]


@pytest.mark.parametrize(
    ("fact", "line"),
    [
        (StackMoved(state="PLANNING"), "stack PLANNING"),
        (
            OperationMoved(
                operation_id="o",
                kind="APPLY",
                state="FAILED",
                reason="DISK_FULL",
                message="no room",
            ),
            "✗ apply FAILED (DISK_FULL): no room",
        ),
        (
            OperationMoved(operation_id="o", kind="DRIFT", state="RUNNING", principal="local:me"),
            "▶ look for drift for local:me",
        ),
        (
            PlanMoved(digest=DIGEST, state="APPROVED", decided_by="local:ann"),
            "  plan abababababab approved by local:ann",
        ),
        (
            PlanMoved(digest=DIGEST, state="APPROVED", decided_by="ann", auto_approved=True),
            "  plan abababababab approved by the rule for local plans, for ann",
        ),
        (
            ResourceAdvanced(address="x\x1b[2J", action="DELETE", phase="STARTED"),
            "  … destroying x␛[2J",
        ),
        (
            ResourceAdvanced(address="x", action="CREATE", phase="DONE", elapsed_s=3),
            "  ✓ created x in 3 s",
        ),
        (ResourceDrifted(address="x", action="DELETE"), "  ! x is gone"),
        (ProvisioningSaid(severity="ERROR", summary="bad", address="x"), "  error x: bad"),
        (
            SecretsRead(principal="ann", names=("password",)),
            "  ann read the sensitive outputs password",
        ),
    ],
)
def test_an_event_is_one_line_without_control_characters(fact: Fact, line: str) -> None:
    assert stack_event_lines(fact) == [line]


def test_a_stack_says_what_is_not_made_and_what_to_do() -> None:
    stack = StackFact(
        name="stacks/home",
        target="local",
        state="APPLIED",
        wished=("fan", "lamp"),
        devices=(
            DeviceFact(
                device="lamp", client_id="lamp", topic_prefix="devices/lamp", credential_ref="r"
            ),
        ),
        endpoint="127.0.0.1:8883",
        drifted=("x.broker",),
        next_action="benchline stack plan home",
    )
    assert stack_lines(stack) == [
        "stack    home  APPLIED  target local",
        "broker   127.0.0.1:8883",
        "device   lamp  devices/lamp  r",
        "not made fan",
        "drifted  x.broker",
        "next     benchline stack plan home",
    ]
    assert stack_cells(stack) == (
        "home",
        "local",
        "APPLIED",
        "1 device",
        "1 drifted",
        "benchline stack plan home",
    )


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["run", "Blink", "--device", "lamp"], "--stack"),
        (["run", "Blink", "--auto-approve"], "--stack"),
        (["run", "Blink", "--until", "provision"], "--stack"),
        (["run", "Blink", "--until", "provision", "--stack", "local"], None),
    ],
)
def test_a_device_and_an_approval_belong_to_a_stack(words: list[str], wrong: str | None) -> None:
    options = build_parser().parse_args(words)
    check = options.verb_entry.check(options)
    assert (wrong is None and check is None) or (wrong is not None and wrong in check)


def test_a_board_says_which_device_it_is_and_what_its_gateway_does() -> None:
    cloud = bench_pb2.BoardCloud(
        stack="lab",
        device="d1",
        state=bench_pb2.BoardCloud.STATE_CONNECTED,
        published=12,
        dropped=3,
    )
    assert cloud_words(cloud) == "d1 of stack lab: connected, 12 published, 3 dropped"
    lost = bench_pb2.BoardCloud(
        stack="lab",
        device="d1",
        state=bench_pb2.BoardCloud.STATE_REFUSED,
        message="revoked\x1b[2J",
    )
    board = board_of(bench_pb2.Board(name="agents/bench/boards/b1", health="ok", cloud=lost))
    assert board_line(board)[-1] == "d1 of stack lab: refused: revoked␛[2J"
    silent = bench_pb2.BoardCloud(
        stack="lab", device="d1", state=bench_pb2.BoardCloud.STATE_UNKNOWN
    )
    assert cloud_words(silent) == "d1 of stack lab: not told by its agent"
    assert board_of(bench_pb2.Board(name="agents/bench/boards/b1")).cloud == ""


def test_telemetry_is_shown_as_text_whatever_its_bytes() -> None:
    message = stack_pb2.TelemetryMessage(device="d1", topic="lab/t", payload=b"21.5\x1b\xff")
    assert telemetry_line(telemetry_of(message)).endswith("  d1  lab/t  21.5␛\\xff")
