"""Wire messages of sessions and deployments into facts of the console."""

from benchline.v1 import build_pb2, event_pb2, flash_pb2, session_pb2, verdict_pb2
from tui.client.asking import answered_of, asked_of, open_round_of
from tui.client.instants import milliseconds_of
from tui.client.stack_facts import stack_fact_of
from tui.state import fact as f
from tui.state.model_call import ModelCalled

_SEVERITY = {1: f.Severity.NOTE, 2: f.Severity.WARNING, 3: f.Severity.ERROR}


def state_of(value: int) -> f.State:
    """A wire State; numbers of a newer server become UNKNOWN."""
    known = verdict_pb2.State.values()
    word = verdict_pb2.State.Name(value) if value in known else ""  # type: ignore[arg-type]
    word = word.removeprefix("STATE_")
    return f.State.__members__.get(word, f.State.UNKNOWN)


def outcome_of(value: int) -> f.Outcome:
    """A wire Outcome; unspecified becomes NONE."""
    known = verdict_pb2.Outcome.values()
    word = verdict_pb2.Outcome.Name(value) if value in known else ""  # type: ignore[arg-type]
    word = word.removeprefix("OUTCOME_")
    return f.Outcome.__members__.get(word, f.Outcome.NONE)


def stage_of(value: int) -> f.Stage:
    """A wire Stage; unspecified becomes NONE."""
    known = verdict_pb2.Stage.values()
    word = verdict_pb2.Stage.Name(value) if value in known else ""  # type: ignore[arg-type]
    word = word.removeprefix("STAGE_")
    return f.Stage.__members__.get(word, f.Stage.NONE)


def evidence_of(value: int) -> str:
    """A wire Evidence as its word in lower case; empty when nothing was run."""
    if not value or value not in verdict_pb2.Evidence.values():
        return ""
    word: str = verdict_pb2.Evidence.Name(value)  # type: ignore[arg-type]
    return word.removeprefix("EVIDENCE_").lower()


def range_of(wire: verdict_pb2.ByteRange) -> f.Bytes:
    """A byte range."""
    return f.Bytes(console=wire.console, start=wire.start, end=wire.end)


def assertion_of(wire: verdict_pb2.AssertionResult) -> f.Assertion:
    """The verdict of one check."""
    return f.Assertion(
        assertion_id=wire.assertion_id,
        kind=wire.kind,
        outcome=outcome_of(wire.outcome),
        message=wire.message,
        expected=wire.expected,
        got=wire.got,
        at_ms=wire.at_ms,
        evidence=tuple(range_of(one) for one in wire.evidence),
    )


def finding_of(wire: verdict_pb2.Finding) -> f.Finding:
    """One complaint."""
    return f.Finding(
        code=wire.code,
        subject=wire.subject,
        message=wire.message,
        fix=wire.fix,
        severity=_SEVERITY.get(wire.severity, f.Severity.ERROR),
        stage=stage_of(wire.stage),
    )


def scenario_of(wire: verdict_pb2.ScenarioResult) -> f.ScenarioEnded:
    """The verdict of one scenario."""
    return f.ScenarioEnded(
        scenario_id=wire.scenario_id,
        title=wire.title,
        runner=wire.runner,
        outcome=outcome_of(wire.outcome),
        evidence=evidence_of(wire.evidence),
        message=wire.message,
        device_ms=wire.device_ms,
        seed=wire.seed,
        cached=wire.cached,
        assertions=tuple(assertion_of(one) for one in wire.assertions),
        console=range_of(wire.console) if wire.console.console else None,
    )


def event_of(wire: event_pb2.Event) -> f.Event:
    """One event of a session."""
    return f.Event(
        sequence=wire.sequence,
        time_ms=milliseconds_of(wire.time),
        stage=stage_of(wire.stage),
        attempt=wire.attempt or 1,
        fact=_fact_of(wire),
    )


def _fact_of(wire: event_pb2.Event) -> f.Fact:
    kind = wire.WhichOneof("fact")
    match kind:
        case "session_changed":
            return _session_moved(wire.session_changed)
        case "stage_changed":
            return _stage_moved(wire.stage_changed)
        case "attempt_changed":
            return attempt_of(wire.attempt_changed)
        case "design_made":
            made = wire.design_made
            return f.DesignMade(
                design_hash=made.design_hash,
                title=made.title,
                board_model=made.board_model,
                scenarios=tuple(made.scenarios),
            )
        case "finding":
            return finding_of(wire.finding)
        case "diagnostic":
            return _diagnostic(wire.diagnostic)
        case "artifact":
            stored = wire.artifact
            return f.ArtifactStored(
                kind=stored.kind,
                filename=stored.filename,
                sha256=stored.sha256,
                size_bytes=stored.size_bytes,
            )
        case "note":
            return f.Noted(text=wire.note.text)
        case "questions_asked":
            return asked_of(wire.questions_asked)
        case "questions_answered":
            return answered_of(wire.questions_answered)
        case _:
            return _running_fact_of(wire, kind or "")


def _running_fact_of(wire: event_pb2.Event, kind: str) -> f.Fact:
    match kind:
        case "scenario_started":
            began = wire.scenario_started
            return f.ScenarioBegan(
                scenario_id=began.scenario_id,
                title=began.title,
                runner=began.runner,
                device_ms=began.device_ms,
                assertion_ids=tuple(began.assertion_ids),
            )
        case "assertion_decided":
            decided = wire.assertion_decided
            return f.AssertionDecided(
                scenario_id=decided.scenario_id,
                runner=decided.runner,
                assertion=assertion_of(decided.result),
            )
        case "scenario_finished":
            return scenario_of(wire.scenario_finished)
        case "lease_changed":
            moved = wire.lease_changed
            return f.LeaseMoved(lease=moved.lease, board=moved.board, change=moved.change)
        case "flash":
            return _flash_moved(wire.flash)
        case "flash_progress":
            progress = wire.flash_progress
            return f.FlashAdvanced(
                command_id=progress.command_id,
                board=progress.board,
                image=progress.image,
                phase=progress.phase,
                fraction=progress.fraction,
            )
        case "console_range":
            grown = wire.console_range
            return f.ConsoleGrew(
                range=range_of(grown.range), epoch=grown.epoch, gap_before=grown.gap_before
            )
        case _:
            return _deployment_fact_of(wire, kind)


def _deployment_fact_of(wire: event_pb2.Event, kind: str) -> f.Fact:
    match kind:
        case "deployment_changed":
            moved = wire.deployment_changed
            return f.DeploymentMoved(
                state=state_of(moved.state),
                outcome=outcome_of(moved.outcome),
                message=moved.message,
            )
        case "wave_changed":
            wave = wire.wave_changed
            return f.WaveMoved(
                wave=wave.wave,
                wave_count=wave.wave_count,
                state=state_of(wave.state),
                boards=wave.boards,
                not_passed=wave.not_passed,
                message=wave.message,
            )
        case "board_deployment":
            return board_moved_of(wire.board_deployment)
        case "model_call":
            return _model_called(wire.model_call)
        case _:
            return stack_fact_of(wire, kind) or f.Unknown(kind=kind)


def board_moved_of(wire: event_pb2.BoardDeployment) -> f.BoardMoved:
    """One board of a deployment."""
    return f.BoardMoved(
        board=wire.board,
        part=wire.part,
        wave=wire.wave,
        image=wire.image,
        state=state_of(wire.state),
        outcome=outcome_of(wire.outcome),
        reason=wire.reason,
        message=wire.message,
        next_action=wire.next_action,
        evidence=evidence_of(wire.evidence),
        image_sha256=wire.image_sha256,
        runs=wire.runs,
    )


def _session_moved(wire: event_pb2.SessionChanged) -> f.SessionMoved:
    return f.SessionMoved(
        state=state_of(wire.state),
        outcome=outcome_of(wire.outcome),
        evidence=evidence_of(wire.evidence),
        message=wire.message,
    )


def _stage_moved(wire: event_pb2.StageChanged) -> f.StageMoved:
    return f.StageMoved(
        stage=stage_of(wire.stage),
        state=state_of(wire.state),
        outcome=outcome_of(wire.outcome),
        message=wire.message,
        cached=wire.cached,
        runs=wire.runs,
        duration_ms=wire.duration_ms,
    )


def _diagnostic(wire: build_pb2.Diagnostic) -> f.Diagnostic:
    return f.Diagnostic(
        file=wire.file,
        line=wire.line,
        message=wire.message,
        severity=_SEVERITY.get(wire.severity, f.Severity.ERROR),
        excerpt=wire.excerpt,
    )


def _flash_moved(wire: flash_pb2.FlashRecord) -> f.FlashMoved:
    return f.FlashMoved(
        command_id=wire.command_id,
        board=wire.board,
        image=wire.image,
        reason=wire.reason,
        outcome=outcome_of(wire.outcome),
        message=wire.message,
        sectors_erased=wire.sectors_erased,
        sectors_skipped=wire.sectors_skipped,
        bytes_programmed=wire.bytes_programmed,
    )


def attempt_of(wire: event_pb2.AttemptChanged) -> f.AttemptMoved:
    """A turn of the repair loop."""
    return f.AttemptMoved(
        attempt=wire.attempt,
        state=state_of(wire.state),
        outcome=outcome_of(wire.outcome),
        message=wire.message,
        stage=stage_of(wire.stage),
        files_changed=wire.files_changed,
        lines_added=wire.lines_added,
        lines_removed=wire.lines_removed,
        failing_checks=wire.failing_checks,
        warnings=wire.warnings,
        calls=wire.calls,
        input_tokens=wire.input_tokens,
        cached_tokens=wire.cached_tokens,
        output_tokens=wire.output_tokens,
        cost_micro_usd=wire.cost_micro_usd if wire.HasField("cost_micro_usd") else None,
        model=wire.model,
        diff_sha256=wire.diff_sha256,
        coverage=_coverage(wire.coverage) if wire.HasField("coverage") else None,
    )


def _coverage(wire: verdict_pb2.Coverage) -> f.Coverage:
    return f.Coverage(
        scenario_id=wire.scenario_id,
        runner=wire.runner,
        executed=wire.executed,
        executable=wire.executable,
        never_ran=tuple(
            f.LineRange(file=one.file, first=one.first, last=one.last, text=one.text)
            for one in wire.never_ran
        ),
        unknown=wire.unknown,
    )


def _model_called(wire: event_pb2.ModelCall) -> ModelCalled:
    """A try of a call; what is reckoned stands in for what is not counted yet."""
    usage = wire.usage
    cost = wire.cost_micro_usd if wire.HasField("cost_micro_usd") else None
    if wire.HasField("reckoned_micro_usd"):
        cost = wire.reckoned_micro_usd
    cached = usage.cache_read
    return ModelCalled(
        call_id=wire.call_id,
        purpose=wire.purpose,
        number=wire.number,
        outcome=wire.outcome,
        message=wire.message,
        model=wire.model or wire.model_asked,
        attempt=wire.attempt or 1,
        input_tokens=usage.fresh_input + cached + usage.cache_write_5m + usage.cache_write_1h,
        cached_tokens=cached,
        output_tokens=max(usage.output, wire.reckoned_output),
        cost_micro_usd=cost,
        worst_micro_usd=wire.worst_micro_usd if wire.HasField("worst_micro_usd") else None,
        latency_ms=wire.latency_ms,
    )


def summary_of(wire: session_pb2.Session) -> f.SessionSummary:
    """A session as a row of a list."""
    return f.SessionSummary(
        name=wire.name,
        title=wire.prompt or _started_from(wire.design),
        design=wire.design,
        stack=wire.stack,
        state=state_of(wire.state),
        outcome=outcome_of(wire.outcome),
        evidence=evidence_of(wire.evidence),
        message=wire.message,
        board=wire.board,
        board_model=wire.board_model,
        create_ms=milliseconds_of(wire.create_time),
        end_ms=milliseconds_of(wire.end_time),
        stages=tuple(_stage_record(one) for one in wire.stages),
        last_sequence=wire.last_sequence,
        attempt=wire.attempt or 1,
        asks=open_round_of(wire) is not None,
        ceiling_micro_usd=wire.cost_ceiling_micro_usd,
        best_attempt=wire.best_attempt,
        attempts=tuple(attempt_of(one) for one in wire.attempts),
    )


def _started_from(design: str) -> str:
    """What to call a session without a sentence: ``design relay @2``."""
    words = design.removeprefix("designs/").replace("/revisions/", " @")
    return f"design {words}" if words else f.UPLOADED


def _stage_record(wire: session_pb2.StageRecord) -> f.StageMoved:
    return f.StageMoved(
        stage=stage_of(wire.stage),
        state=state_of(wire.state),
        outcome=outcome_of(wire.outcome),
        message=wire.message,
        cached=wire.cached,
        runs=wire.runs,
        duration_ms=milliseconds_of(wire.duration),
    )
