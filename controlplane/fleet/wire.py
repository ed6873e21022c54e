"""Orders and answers as messages of the agent link."""

from benchline.v1 import agent_link_pb2, bench_pb2, deployment_pb2, event_pb2, verdict_pb2
from controlplane.domain.bench import Board, BoardKind, BoardState
from controlplane.domain.deployment import FlashRecord
from controlplane.domain.event import FlashProgress
from controlplane.domain.verdict import Outcome
from controlplane.fleet.orders import (
    CommandAnswer,
    CommandTicket,
    FlashOrder,
    ResetOrder,
    SendOrder,
)

_MAX_TEXT = 2_000  # an agent's sentence is cut here before it is stored


def encode_command(ticket: CommandTicket) -> bytes:
    """The message that an agent gets for a ticket."""
    command = agent_link_pb2.Command(
        command_id=ticket.command_id,
        board=ticket.board.rsplit("/", 1)[-1],
        lease=ticket.lease,
        fencing_token=ticket.fencing_token,
    )
    command.deadline.FromDatetime(ticket.deadline)
    match ticket.order:
        case FlashOrder() as order:
            command.flash.part = order.part
            command.flash.reset_after = order.reset_after
            command.flash.image = order.image.value
            for piece in order.pieces:
                command.flash.segments.add(
                    address=piece.address, sha256=piece.sha256, size_bytes=piece.size_bytes
                )
        case ResetOrder():
            command.reset.SetInParent()
        case SendOrder(data=data):
            command.send.data = data
    return command.SerializeToString(deterministic=True)


def decode_command(payload: bytes) -> agent_link_pb2.Command:
    """Read back a stored command."""
    return agent_link_pb2.Command.FromString(payload)


def decode_answer(payload: bytes, board: str) -> CommandAnswer:
    """Read an agent's result; what a flash did keeps the board's full name."""
    result = agent_link_pb2.CommandResult.FromString(payload)
    return CommandAnswer(
        command_id=result.command_id,
        outcome=_outcome(result.outcome) or Outcome.BROKEN,
        reason=result.reason[:64],
        message=result.message[:_MAX_TEXT],
        flash=_flash_record(result.flash, board) if result.HasField("flash") else None,
        console_offset=result.console.offset,
        console_epoch=result.console.epoch,
    )


def decode_progress(progress: event_pb2.FlashProgress, board: str) -> FlashProgress:
    """Read how far a flash is."""
    return FlashProgress(
        command_id=progress.command_id,
        board=board,
        phase=progress.phase[:16],
        fraction=min(1.0, max(0.0, progress.fraction)),
        image=progress.image[:16],
    )


def decode_boards(agent: str, inventory: agent_link_pb2.BoardInventory) -> list[Board]:
    """The boards that an agent says it has, under its own name whatever it claims."""
    return [_board(agent, board) for board in inventory.boards]


def _board(agent: str, board: bench_pb2.Board) -> Board:
    board_id = board.name.rsplit("/", 1)[-1]
    physical = board.kind == bench_pb2.Board.KIND_PHYSICAL
    health = board.health[:_MAX_TEXT] or "ok"
    return Board(
        name=f"agents/{agent}/boards/{board_id}",
        model=board.model,
        part=board.part,
        kind=BoardKind.PHYSICAL if physical else BoardKind.VIRTUAL,
        state=BoardState.ACTIVE if health == "ok" else BoardState.FAULTY,
        probe_id=board.probe_id,
        identity=board.identity,
        port=board.port,
        health=health,
        proven_image_sha256=board.proven_image_sha256,
        experimental=board.experimental,
        console_epoch=board.console_epoch,
    )


def _flash_record(record: deployment_pb2.FlashRecord, board: str) -> FlashRecord:
    return FlashRecord(
        command_id=record.command_id,
        board=board,
        image=record.image,
        image_sha256=record.image_sha256,
        reason=record.reason,
        outcome=_outcome(record.outcome),
        message=record.message[:_MAX_TEXT],
        sectors_erased=record.sectors_erased,
        sectors_skipped=record.sectors_skipped,
        bytes_programmed=record.bytes_programmed,
        read_back_sha256=record.read_back_sha256,
    )


def _outcome(value: "verdict_pb2.Outcome.ValueType") -> Outcome | None:
    name = verdict_pb2.Outcome.Name(value).removeprefix("OUTCOME_")
    return None if name == "UNSPECIFIED" else Outcome(name)
