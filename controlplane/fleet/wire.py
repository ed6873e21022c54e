"""Orders and answers as messages of the agent link."""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice

from google.protobuf.timestamp_pb2 import Timestamp

from benchline.v1 import agent_link_pb2, bench_pb2, event_pb2, flash_pb2, verdict_pb2
from controlplane.domain.bench import Board, BoardKind, BoardState, Chip, UsbDevice
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
_MAX_WORD = 200
_MAX_WORDS = 16
_MAX_FLASH_BYTES = 1 << 32


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
        family=board.family[:_MAX_WORD],
        flash_tool=board.flash_tool[:_MAX_WORD],
        usb=_usb(board.usb) if board.HasField("usb") else None,
        chip=_chip(board.chip) if board.HasField("chip") else None,
        abilities=_words(board.abilities),
        personality=_words(board.personality),
    )


def _usb(usb: bench_pb2.UsbDevice) -> UsbDevice:
    return UsbDevice(
        vendor_id=usb.vendor_id & 0xFFFF,
        product_id=usb.product_id & 0xFFFF,
        serial_number=usb.serial_number[:_MAX_WORD],
        location=usb.location[:_MAX_WORD],
        product=usb.product[:_MAX_WORD],
        manufacturer=usb.manufacturer[:_MAX_WORD],
        known_as=usb.known_as[:_MAX_WORD],
    )


def _chip(chip: bench_pb2.Chip) -> Chip:
    return Chip(
        name=chip.name[:_MAX_WORD],
        revision=chip.revision[:_MAX_WORD],
        identity=chip.identity[:_MAX_WORD],
        flash_bytes=min(chip.flash_bytes, _MAX_FLASH_BYTES),
        features=_words(chip.features),
        protections=_words(chip.protections),
        read_time=_instant(chip.read_time) if chip.HasField("read_time") else None,
    )


def _instant(stamp: Timestamp) -> datetime | None:
    try:
        return stamp.ToDatetime(UTC)
    except (ValueError, OverflowError):
        return None


def _words(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(word[:_MAX_WORD] for word in islice(words, _MAX_WORDS))


def _flash_record(record: flash_pb2.FlashRecord, board: str) -> FlashRecord:
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
        attempts=tuple(text[:_MAX_TEXT] for text in islice(record.attempts, _MAX_WORDS)),
    )


def _outcome(value: "verdict_pb2.Outcome.ValueType") -> Outcome | None:
    name = verdict_pb2.Outcome.Name(value).removeprefix("OUTCOME_")
    return None if name == "UNSPECIFIED" else Outcome(name)
