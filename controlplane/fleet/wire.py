"""Orders and answers as messages of the agent link."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice

from google.protobuf.timestamp_pb2 import Timestamp

from benchline.v1 import (
    agent_link_pb2,
    bench_pb2,
    event_pb2,
    flash_pb2,
    recovery_pb2,
    verdict_pb2,
)
from controlplane.domain.bench import Board, BoardKind, BoardState, Chip, UsbDevice
from controlplane.domain.deployment import FlashRecord
from controlplane.domain.event import FlashProgress
from controlplane.domain.health import RecoveryAction, RecoveryStep
from controlplane.domain.verdict import Outcome
from controlplane.fleet.orders import (
    CommandAnswer,
    CommandTicket,
    FlashOrder,
    IdentifyOrder,
    PowerOrder,
    RecoverOrder,
    ResetOrder,
    SendOrder,
)

_MAX_TEXT = 2_000  # an agent's sentence is cut here before it is stored
_MAX_WORD = 200
_MAX_WORDS = 16
_MAX_FLASH_BYTES = 1 << 32
_MAX_STEPS = 64
_LONGEST_S = 24 * 3600
_ACTIONS = {
    recovery_pb2.RecoveryAction.Value(f"RECOVERY_ACTION_{action}"): action
    for action in RecoveryAction
}


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
            command.flash.CopyFrom(_flash_message(order))
        case ResetOrder(mode=mode):
            command.reset.mode = recovery_pb2.ResetMode.Value(f"RESET_MODE_{mode}")
        case PowerOrder(state=state):
            command.power.state = recovery_pb2.PowerState.Value(f"POWER_STATE_{state}")
        case IdentifyOrder():
            command.identify.SetInParent()
        case RecoverOrder() as order:
            command.recover.CopyFrom(_recover_message(order))
        case SendOrder(data=data):
            command.send.data = data
    return command.SerializeToString(deterministic=True)


def _flash_message(order: FlashOrder) -> agent_link_pb2.FlashCommand:
    message = agent_link_pb2.FlashCommand(
        part=order.part, reset_after=order.reset_after, image=order.image.value
    )
    for piece in order.pieces:
        message.segments.add(
            address=piece.address, sha256=piece.sha256, size_bytes=piece.size_bytes
        )
    if order.config is not None:
        message.device_config.address = order.config.address
        told = order.config.binding
        if told is not None:
            message.device_config.config.CopyFrom(
                agent_link_pb2.DeviceConfig(
                    endpoint=told.endpoint,
                    device_id=told.device,
                    topic_prefix=told.topic_prefix,
                    credential_ref=told.credential_ref,
                )
            )
    return message


def _recover_message(order: RecoverOrder) -> agent_link_pb2.RecoverCommand:
    message = agent_link_pb2.RecoverCommand(
        trouble=order.trouble,
        expect=order.expect,
        without_canary=order.without_canary,
        order=[recovery_pb2.RecoveryAction.Value(f"RECOVERY_ACTION_{a}") for a in order.order],
    )
    if order.canary is not None:
        message.canary.CopyFrom(_flash_message(order.canary))
    if order.left is not None:
        message.left.CopyFrom(_flash_message(order.left))
    return message


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
        chip=_chip(result.chip) if result.HasField("chip") else None,
        steps=_steps(result.recovery.steps),
        left_image=result.recovery.left_image[:16],
    )


def _steps(messages: Iterable[recovery_pb2.RecoveryStep]) -> tuple[RecoveryStep, ...]:
    found = (decode_step(message) for message in islice(messages, _MAX_STEPS))
    return tuple(step for step in found if step is not None)


def decode_step(message: recovery_pb2.RecoveryStep) -> RecoveryStep | None:
    """Read a step of a recovery; None for one that is not known here."""
    action = _ACTIONS.get(message.action)
    if action is None:
        return None
    duration = None
    if message.HasField("duration"):
        duration = timedelta(
            seconds=max(0, min(message.duration.seconds, _LONGEST_S)),
            milliseconds=message.duration.nanos // 1_000_000,
        )
    return RecoveryStep(
        action=action,
        outcome=_outcome(message.outcome),
        reason=message.reason[:64],
        message=message.message[:_MAX_TEXT],
        start_time=_instant(message.start_time),
        duration=duration,
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
    if value not in verdict_pb2.Outcome.values():
        return None
    name = verdict_pb2.Outcome.Name(value).removeprefix("OUTCOME_")
    return None if name == "UNSPECIFIED" else Outcome(name)
