"""Between the messages of the contract and our own types; the only module that knows both."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from benchagent.board import Board, BoardKind, Chip
from benchagent.command import (
    Command,
    ConsoleHead,
    Flash,
    FlashReport,
    Identify,
    Order,
    Outcome,
    Power,
    Progress,
    Recover,
    RecoveryProgress,
    Reset,
    ResetMode,
    Result,
    Segment,
    Send,
)
from benchagent.config_sector import config_of, config_segment
from benchagent.gateway.binding import Binding, GatewayNews, GatewayState
from benchagent.power import PowerState
from benchagent.recovery.ladder import Action, Step, StepOutcome
from benchagent.spool import Chunk
from benchline.device_config import DeviceConfig
from benchline.names import board_name
from benchline.v1 import (
    agent_link_pb2,
    bench_pb2,
    console_pb2,
    event_pb2,
    flash_pb2,
    recovery_pb2,
    verdict_pb2,
)

_OUTCOMES: dict[Outcome, verdict_pb2.Outcome.ValueType] = {
    Outcome.PASSED: verdict_pb2.OUTCOME_PASSED,
    Outcome.BROKEN: verdict_pb2.OUTCOME_BROKEN,
    Outcome.REFUSED: verdict_pb2.OUTCOME_REFUSED,
}
_STEP_OUTCOMES: dict[StepOutcome, verdict_pb2.Outcome.ValueType] = {
    StepOutcome.PASSED: verdict_pb2.OUTCOME_PASSED,
    StepOutcome.BROKEN: verdict_pb2.OUTCOME_BROKEN,
    StepOutcome.SKIPPED: verdict_pb2.OUTCOME_SKIPPED,
}
_ACTION_NUMBERS: dict[Action, recovery_pb2.RecoveryAction.ValueType] = {
    action: recovery_pb2.RecoveryAction.Value(f"RECOVERY_ACTION_{action}") for action in Action
}
_ACTIONS = {number: action for action, number in _ACTION_NUMBERS.items()}
_POWER_NUMBERS: dict[PowerState, recovery_pb2.PowerState.ValueType] = {
    PowerState.ON: recovery_pb2.POWER_STATE_ON,
    PowerState.OFF: recovery_pb2.POWER_STATE_OFF,
    PowerState.CYCLE: recovery_pb2.POWER_STATE_CYCLE,
}
_POWER_STATES = {number: state for state, number in _POWER_NUMBERS.items()}
_KINDS: dict[BoardKind, bench_pb2.Board.Kind.ValueType] = {
    BoardKind.VIRTUAL: bench_pb2.Board.KIND_VIRTUAL,
    BoardKind.PHYSICAL: bench_pb2.Board.KIND_PHYSICAL,
}
_GATEWAY_STATES: dict[GatewayState, bench_pb2.BoardCloud.State.ValueType] = {
    GatewayState.CONNECTING: bench_pb2.BoardCloud.STATE_CONNECTING,
    GatewayState.CONNECTED: bench_pb2.BoardCloud.STATE_CONNECTED,
    GatewayState.REFUSED: bench_pb2.BoardCloud.STATE_REFUSED,
}


def timestamp(moment: datetime) -> Timestamp:
    """An aware instant as a message."""
    found = Timestamp()
    found.FromDatetime(moment)
    return found


def command_from(message: agent_link_pb2.Command) -> Command:
    """A command as it came. Its action is None when this agent does not know it."""
    action: Order | None = None
    match message.WhichOneof("action"):
        case "flash":
            action = _flash_from(message.flash)
        case "reset":
            boot = message.reset.mode == recovery_pb2.RESET_MODE_BOOTLOADER
            action = Reset(mode=ResetMode.BOOTLOADER if boot else ResetMode.APP)
        case "power":
            state = _POWER_STATES.get(message.power.state)
            action = Power(state=state) if state is not None else None
        case "identify":
            action = Identify()
        case "recover":
            action = _recover_from(message.recover)
        case "send":
            action = Send(data=message.send.data)
    deadline = message.deadline.ToDatetime(UTC) if message.HasField("deadline") else None
    return Command(
        command_id=message.command_id,
        board=message.board,
        lease=message.lease,
        fencing_token=message.fencing_token,
        deadline=deadline,
        action=action,
    )


def _flash_from(message: agent_link_pb2.FlashCommand) -> Flash:
    segments = [
        Segment(address=part.address, sha256=part.sha256, size_bytes=part.size_bytes)
        for part in message.segments
    ]
    if message.HasField("device_config"):
        segments.append(_config_segment_from(message.device_config))
    return Flash(
        segments=tuple(segments),
        part=message.part,
        reset_after=message.reset_after,
        image=message.image,
    )


def _config_segment_from(message: agent_link_pb2.DeviceConfigSector) -> Segment:
    config = None
    if message.HasField("config"):
        config = DeviceConfig(
            endpoint=message.config.endpoint,
            device_id=message.config.device_id,
            topic_prefix=message.config.topic_prefix,
            credential_ref=message.config.credential_ref,
        )
    return config_segment(message.address, config)


def _recover_from(message: agent_link_pb2.RecoverCommand) -> Recover:
    return Recover(
        trouble=message.trouble,
        canary=_flash_from(message.canary) if message.HasField("canary") else None,
        expect=message.expect,
        left=_flash_from(message.left) if message.HasField("left") else None,
        without_canary=message.without_canary,
        order=tuple(_ACTIONS[action] for action in message.order if action in _ACTIONS),
    )


def command_bytes(command: Command) -> bytes:
    """A command as the journal keeps it."""
    message = agent_link_pb2.Command(
        command_id=command.command_id,
        board=command.board,
        lease=command.lease,
        fencing_token=command.fencing_token,
    )
    if command.deadline is not None:
        message.deadline.CopyFrom(timestamp(command.deadline))
    match command.action:
        case Flash() as flash:
            message.flash.CopyFrom(_flash_message(flash))
        case Reset(mode=mode):
            message.reset.mode = (
                recovery_pb2.RESET_MODE_BOOTLOADER
                if mode is ResetMode.BOOTLOADER
                else recovery_pb2.RESET_MODE_APP
            )
        case Power(state=state):
            message.power.state = _POWER_NUMBERS[state]
        case Identify():
            message.identify.SetInParent()
        case Recover() as recover:
            message.recover.CopyFrom(_recover_message(recover))
        case Send(data=data):
            message.send.data = data
        case None:
            pass
    return message.SerializeToString()


def _flash_message(flash: Flash) -> agent_link_pb2.FlashCommand:
    message = agent_link_pb2.FlashCommand(
        part=flash.part, reset_after=flash.reset_after, image=flash.image
    )
    for part in flash.segments:
        if part.inline is None:
            message.segments.add(
                address=part.address, sha256=part.sha256, size_bytes=part.size_bytes
            )
            continue
        message.device_config.address = part.address
        config = config_of(part)
        if config is not None:
            message.device_config.config.CopyFrom(agent_link_pb2.DeviceConfig(**asdict(config)))
    return message


def _recover_message(recover: Recover) -> agent_link_pb2.RecoverCommand:
    message = agent_link_pb2.RecoverCommand(
        trouble=recover.trouble,
        expect=recover.expect,
        without_canary=recover.without_canary,
        order=[_ACTION_NUMBERS[action] for action in recover.order],
    )
    if recover.canary is not None:
        message.canary.CopyFrom(_flash_message(recover.canary))
    if recover.left is not None:
        message.left.CopyFrom(_flash_message(recover.left))
    return message


def command_from_bytes(stored: bytes) -> Command:
    """A command out of the journal."""
    return command_from(agent_link_pb2.Command.FromString(stored))


def result_message(result: Result, agent: str) -> agent_link_pb2.CommandResult:
    """The answer to a command."""
    message = agent_link_pb2.CommandResult(
        command_id=result.command_id,
        outcome=_OUTCOMES[result.outcome],
        reason=result.reason,
        message=result.message,
    )
    if result.flash is not None:
        message.flash.CopyFrom(_flash_record(result, result.flash, agent))
    if result.console is not None:
        message.console.CopyFrom(head_message(result.console))
    if result.chip is not None:
        message.chip.CopyFrom(_chip_message(result.chip))
    if result.recovery is not None:
        message.recovery.left_image = result.recovery.left_image
        message.recovery.steps.extend(map(_step_message, result.recovery.steps))
    return message


def _step_message(step: Step) -> recovery_pb2.RecoveryStep:
    message = recovery_pb2.RecoveryStep(
        action=_ACTION_NUMBERS[step.action],
        reason=step.reason,
        message=step.message,
        start_time=timestamp(step.start_time),
    )
    if step.outcome is not None:
        message.outcome = _STEP_OUTCOMES[step.outcome]
        message.duration.FromMilliseconds(step.duration_ms)
    return message


def step_progress_message(progress: RecoveryProgress) -> agent_link_pb2.RecoveryProgress:
    """A step of a recovery that began or ended."""
    return agent_link_pb2.RecoveryProgress(
        command_id=progress.command_id,
        board=progress.board,
        step=_step_message(progress.step),
    )


def _flash_record(result: Result, report: FlashReport, agent: str) -> flash_pb2.FlashRecord:
    record = flash_pb2.FlashRecord(
        command_id=result.command_id,
        board=board_name(agent, result.board),
        image=report.image,
        image_sha256=report.image_sha256,
        outcome=_OUTCOMES[result.outcome],
        message=result.message,
        sectors_erased=report.sectors_erased,
        sectors_skipped=report.sectors_skipped,
        bytes_programmed=report.bytes_programmed,
        read_back_sha256=report.read_back_sha256,
        attempts=report.attempts,
    )
    if report.start_time is not None:
        record.start_time.CopyFrom(timestamp(report.start_time))
    if report.end_time is not None:
        record.end_time.CopyFrom(timestamp(report.end_time))
    return record


def bindings_from(message: agent_link_pb2.CloudBindings) -> list[Binding]:
    """The boards that are bound to a cloud."""
    return [
        Binding(
            board=one.board,
            stack=one.stack,
            device=one.device,
            endpoint=one.endpoint,
            client_id=one.client_id,
            topic_prefix=one.topic_prefix,
            credential_ref=one.credential_ref,
            from_epoch=one.from_epoch,
        )
        for one in message.bindings
    ]


def gateway_message(news: GatewayNews) -> agent_link_pb2.GatewayReport:
    """How a gateway is."""
    cloud = bench_pb2.BoardCloud(
        stack=news.stack,
        device=news.device,
        state=_GATEWAY_STATES[news.state],
        message=news.message,
        published=news.published,
        received=news.received,
        dropped=news.dropped,
        refused=news.refused,
    )
    one = agent_link_pb2.GatewayOfBoard(board=news.board, cloud=cloud)
    return agent_link_pb2.GatewayReport(gateways=[one])


def head_message(head: ConsoleHead) -> agent_link_pb2.ConsoleHead:
    """A position in a console."""
    return agent_link_pb2.ConsoleHead(board=head.board, offset=head.offset, epoch=head.epoch)


def heads_from(messages: Sequence[agent_link_pb2.ConsoleHead]) -> list[ConsoleHead]:
    """Positions in consoles."""
    return [
        ConsoleHead(board=head.board, offset=head.offset, epoch=head.epoch) for head in messages
    ]


def progress_message(progress: Progress, agent: str) -> event_pb2.FlashProgress:
    """How far a flash is."""
    return event_pb2.FlashProgress(
        command_id=progress.command_id,
        board=board_name(agent, progress.board),
        phase=progress.phase,
        fraction=progress.fraction,
        image=progress.image,
    )


def inventory_message(
    boards: Sequence[Board], agent: str, left: Sequence[str]
) -> agent_link_pb2.BoardInventory:
    """All boards as they are now, and the ids of those that left for good."""
    return agent_link_pb2.BoardInventory(
        boards=[_board_message(board, agent) for board in boards], left=left
    )


def _board_message(board: Board, agent: str) -> bench_pb2.Board:
    message = bench_pb2.Board(
        name=board_name(agent, board.board_id),
        model=board.model,
        part=board.part,
        kind=_KINDS[board.kind],
        probe_id=board.probe_id,
        identity=board.identity,
        port=str(board.port or ""),
        health=board.health,
        proven_image_sha256=board.proven_image_sha256,
        experimental=board.experimental,
        console_epoch=board.console_epoch,
        family=board.family,
        flash_tool=board.flash_tool,
        abilities=board.abilities,
        personality=board.personality,
    )
    if board.usb is not None:
        message.usb.CopyFrom(bench_pb2.UsbDevice(**asdict(board.usb)))
    if board.chip is not None:
        message.chip.CopyFrom(_chip_message(board.chip))
    return message


def _chip_message(chip: Chip) -> bench_pb2.Chip:
    told = asdict(chip)
    read_time = told.pop("read_time")
    message = bench_pb2.Chip(**told)
    if read_time is not None:
        message.read_time.CopyFrom(timestamp(read_time))
    return message


def chunk_message(board: str, chunk: Chunk) -> agent_link_pb2.BoardConsoleChunk:
    """Console bytes of one board."""
    host_time = Timestamp()
    host_time.FromMicroseconds(chunk.host_time_us)
    return agent_link_pb2.BoardConsoleChunk(
        board=board,
        chunk=console_pb2.ConsoleChunk(
            offset=chunk.offset,
            data=chunk.data,
            epoch=chunk.epoch,
            host_time=host_time,
            gap_before=chunk.gap,
        ),
    )
