"""One operation of Terraform: its processes, what they told, and what their end means."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchline.errors import ConflictError, NotReadyError, UnreachableError
from benchline.process_id import started_ticks
from controlplane.childproc.command import Command
from controlplane.domain.provisioning import (
    ChangeCounts,
    PlannedChange,
    ProvisioningDiagnostic,
    ResourceDrift,
    RunEvent,
    RunStarted,
)
from controlplane.domain.verdict import Severity
from controlplane.provisioning.binary import INSTALL, TerraformCommand
from controlplane.provisioning.child import (
    MAX_DOCUMENT_BYTES,
    MAX_LINE_BYTES,
    Ended,
    Patience,
    StopCause,
    TerraformChild,
    UnstartableError,
)
from controlplane.provisioning.command_line import TerraformRunner
from controlplane.provisioning.failures import complaints_of, failure_of
from controlplane.provisioning.ui_events import Redactor, read_line

OnEvent = Callable[[RunEvent], Awaitable[None]]
"""Awaited for each event, in order; when it raises, the operation is ended in good order."""


async def nobody(_event: RunEvent) -> None:
    """Who listens when nobody does."""


@dataclass(slots=True)
class Told:
    """What an operation said so far, as far as its result needs it."""

    changes: list[PlannedChange] = field(default_factory=list)
    drift: list[ResourceDrift] = field(default_factory=list)
    counts: ChangeCounts = field(default_factory=ChangeCounts)
    complaints: list[ProvisioningDiagnostic] = field(default_factory=list)

    def note(self, event: RunEvent) -> None:
        """Keep what the result needs of an event."""
        match event:
            case PlannedChange():
                self.changes.append(event)
            case ResourceDrift():
                self.drift.append(event)
            case ChangeCounts():
                self.counts = event
            case ProvisioningDiagnostic():
                self.complaints.append(event)


class Operation:
    """Made for one operation and used for all processes of it."""

    def __init__(
        self,
        *,
        doing: str,
        command: TerraformCommand,
        folder: Path,
        environment: Mapping[str, str],
        patience: Patience,
        redact: Redactor,
        on_event: OnEvent,
    ) -> None:
        self.doing = doing
        self.told = Told()
        self.over = asyncio.Event()
        self.terraform = TerraformRunner(command, folder, self._execute)
        self._command = command
        self._folder = folder
        self._environment = environment
        self._patience = patience
        self._redact = redact
        self._on_event = on_event
        self._cancelled = False
        self._child: TerraformChild | None = None
        self._lines: list[bytes] | None = None

    async def cancel(self) -> None:
        """End it in good order, and wait until it is over."""
        self._cancelled = True
        if self._child is not None:
            self._child.stop()
        await self.over.wait()

    async def tell(self, event: RunEvent) -> None:
        """Hand an event on, and keep what the result needs of it."""
        self.told.note(event)
        await self._on_event(event)

    async def document(self, call: Callable[[], Awaitable[Ended]]) -> Mapping[str, Any]:
        """Run a command that prints one JSON object; nothing of that is told.

        Raises:
            NotReadyError: TERRAFORM_FAILED; it printed something else.
        """
        self._lines = []
        await self.judge(await call())
        try:
            found = json.loads(b"\n".join(self._lines))
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise NotReadyError(
                "TERRAFORM_FAILED", f"{self.doing} failed: {self._command.identity} printed no JSON"
            )
        return found

    async def judge(self, ended: Ended, good: Sequence[int] = (0,)) -> None:
        """Nothing when a run ended well, even when it was asked to stop by then; else its error.

        Raises:
            ConflictError: OPERATION_CANCELLED or PLAN_STALE.
            UnreachableError: OPERATION_TIMED_OUT, TERRAFORM_KILLED or STATE_UNREACHABLE.
            NotReadyError: STATE_LOCKED, PROVIDER_UNAVAILABLE, CREDENTIALS_EXPIRED or
                TERRAFORM_FAILED.
            ExhaustedError: DISK_FULL.
        """
        if ended.rc in good:
            return
        if all(one.severity is not Severity.ERROR for one in self.told.complaints):
            # Usage errors, and the first words of a run that could not begin, are no JSON.
            for complaint in complaints_of(self._redact(ended.stderr)):
                await self.tell(complaint)
        if ended.stop is StopCause.CANCELLED:
            raise self._was_cancelled()
        if ended.stop is StopCause.TIMED_OUT:
            raise UnreachableError(
                "OPERATION_TIMED_OUT",
                f"{self.doing} took longer than {self._patience.timeout_s:g} s and was ended;"
                " see [provisioning] in the configuration, then plan again",
                seconds=f"{self._patience.timeout_s:g}",
            )
        raise failure_of(self.doing, self.told.complaints, ended.rc)

    def _was_cancelled(self) -> ConflictError:
        return ConflictError(
            "OPERATION_CANCELLED", f"{self.doing} was cancelled; make a new plan to go on"
        )

    async def _execute(self, argv: tuple[str, ...]) -> Ended:
        if self._cancelled:
            raise self._was_cancelled()
        document = self._lines is not None
        child = TerraformChild(
            Command(argv=argv, cwd=self._folder, env=self._environment),
            self._patience,
            max_line_bytes=MAX_DOCUMENT_BYTES if document else MAX_LINE_BYTES,
        )
        self._child = child
        try:
            return await child.follow(self._started, self._line)
        except UnstartableError as error:
            raise NotReadyError(
                "TERRAFORM_UNUSABLE",
                f"{self._command.argv[0]} cannot be started: {error}; {INSTALL}",
                command=self._command.argv[0],
            ) from error
        finally:
            self._child = None

    async def _started(self, pid: int) -> None:
        ticks = started_ticks(pid)
        if ticks is not None:
            await self.tell(RunStarted(pid=pid, started_ticks=ticks, version=self._command.version))

    async def _line(self, line: bytes) -> None:
        if self._lines is not None:
            self._lines.append(line)
            return
        event = read_line(line, self._redact)
        if event is not None:
            await self.tell(event)
