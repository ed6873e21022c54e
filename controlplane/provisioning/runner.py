"""One stack in the hands of Terraform: init, plan, apply, outputs, review, cancel.

    host = TerraformHost(stacks_dir=instance.stacks_dir, cache_dir=…, settings=config.provisioning)
    terraform = await host.open("greenhouse", target="local", variables={…}, reattach={…})
    await terraform.init()
    plan = await terraform.plan(terraform.workspace.plans_dir / "p1.tfplan", on_event=persist)
    …approved by its digest…
    await terraform.apply(path, digest=plan.digest, on_event=persist)

Every failure is an error of the tree; the complaints behind it were told as events before.
`RunStarted` comes first and carries the identity of the process, for a durable row. Cancelling
the task that waits for an operation is the same as `cancel()`: Terraform saves its state first.
"""

import asyncio
import contextlib
import hashlib
import zipfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from python_terraform import IsFlagged

from benchline.errors import (
    BenchlineError,
    CorruptError,
    ExhaustedError,
    NotFoundError,
    NotReadyError,
)
from benchline.instance import make_private
from controlplane.domain.provisioning import (
    ApplyResult,
    OutputValue,
    PlanResult,
    PlanReview,
    RunNote,
)
from controlplane.provisioning.binary import TerraformCommand
from controlplane.provisioning.child import Patience
from controlplane.provisioning.operation import OnEvent, Operation, nobody
from controlplane.provisioning.review import review_of
from controlplane.provisioning.settings import ProvisioningSettings
from controlplane.provisioning.ui_events import Redactor
from controlplane.provisioning.workspace import (
    Workspace,
    check_room,
    is_document,
    keep_state,
    mend_state,
)

_NO_SUCCESSOR = ("serial", "lineage")
_CHANGES = 2  # exit code of a plan that has something to do


class Terraform:
    """One stack, one operation at a time. Made by `TerraformHost.open`."""

    def __init__(
        self,
        *,
        workspace: Workspace,
        command: TerraformCommand,
        settings: ProvisioningSettings,
        environment: Mapping[str, str],
        redact: Redactor,
        lockfile: str | None,
        loading: asyncio.Lock | None,
    ) -> None:
        self.workspace = workspace
        self._command = command
        self._settings = settings
        self._environment = environment
        self._redact = redact
        self._lockfile = lockfile
        self._loading = loading or contextlib.nullcontext()
        self._operation: Operation | None = None
        self._mended = False

    async def init(self) -> None:
        """Prepare backend and providers; cheap when that was done before.

        Raises:
            NotReadyError: PROVIDER_UNAVAILABLE, TERRAFORM_FAILED.
            UnreachableError: STATE_UNREACHABLE.
            BenchlineError: as all operations: OPERATION_CANCELLED, OPERATION_TIMED_OUT, DISK_FULL.
        """
        async with self._begin("init") as run, self._loading:
            self._mended = await asyncio.to_thread(mend_state, self.workspace) or self._mended
            ended = await run.terraform.init(no_color=IsFlagged, lockfile=self._lockfile)
            await run.judge(ended)

    async def plan(
        self,
        out: Path,
        *,
        destroy: bool = False,
        refresh_only: bool = False,
        replace: Sequence[str] = (),
        on_event: OnEvent = nobody,
    ) -> PlanResult:
        """Make a plan and save it in `out`; only its digest says what was approved.

        `replace` are addresses of resources that are made anew. A state that an earlier run could
        not save where it belongs is put there first.

        Raises:
            NotReadyError: STACK_BUSY, STATE_LOCKED, PROVIDER_UNAVAILABLE, CREDENTIALS_EXPIRED or
                TERRAFORM_FAILED.
            ConflictError: OPERATION_CANCELLED.
            UnreachableError: OPERATION_TIMED_OUT, TERRAFORM_KILLED or STATE_UNREACHABLE.
            ExhaustedError: DISK_FULL.
        """
        check_room(self.workspace)
        await asyncio.to_thread(make_private, out.parent)
        async with self._begin("the plan", on_event) as run:
            with _discarded_on_failure(out):
                await self._recover_state(run)
                ended = await run.terraform.plan(
                    json=IsFlagged,
                    out=str(out),
                    destroy=IsFlagged if destroy else None,
                    refresh_only=IsFlagged if refresh_only else None,
                    replace=list(replace),
                    var_file=self._variables(),
                    lock_timeout=self._lock_timeout,
                )
                await run.judge(ended, (0, _CHANGES))
                digest = await asyncio.to_thread(_whole_plan, out)
        told = run.told
        return PlanResult(
            digest=digest,
            # With refresh-only the exit code may say "changes" where there are none.
            has_changes=bool(told.drift) if refresh_only else ended.rc == _CHANGES,
            changes=tuple(told.changes),
            drift=tuple(told.drift),
            counts=told.counts,
        )

    async def apply(self, plan: Path, *, digest: str, on_event: OnEvent = nobody) -> ApplyResult:
        """Do exactly what a saved plan says, if it is still the file with this digest.

        Raises:
            NotFoundError: PLAN_NOT_FOUND.
            CorruptError: PLAN_TAMPERED.
            ConflictError: PLAN_STALE or OPERATION_CANCELLED.
            NotReadyError: STACK_BUSY, STATE_LOCKED, CREDENTIALS_EXPIRED or TERRAFORM_FAILED.
            UnreachableError: OPERATION_TIMED_OUT, TERRAFORM_KILLED or STATE_UNREACHABLE.
            ExhaustedError: DISK_FULL.
        """
        await asyncio.to_thread(_check_digest, plan, digest)
        check_room(self.workspace)
        await asyncio.to_thread(keep_state, self.workspace)
        async with self._begin("the apply", on_event, self._settings.apply_timeout_s) as run:
            ended = await run.terraform.apply(
                str(plan), json=IsFlagged, lock_timeout=self._lock_timeout
            )
            await run.judge(ended)
        return ApplyResult(counts=run.told.counts)

    async def outputs(self) -> Mapping[str, OutputValue]:
        """All outputs with their values; none before the first apply. Sensitive ones are in clear.

        Raises:
            UnreachableError: STATE_UNREACHABLE.
            NotReadyError: TERRAFORM_FAILED.
        """
        async with self._begin("reading the outputs") as run:
            document = await run.document(run.terraform.outputs)
        return {
            name: OutputValue(value=told["value"], sensitive=bool(told["sensitive"]))
            for name, told in document.items()
        }

    async def show_plan(self, plan: Path) -> PlanReview:
        """What a saved plan would do, masked.

        Raises:
            NotFoundError: PLAN_NOT_FOUND.
            NotReadyError: TERRAFORM_FAILED.
        """
        if not await asyncio.to_thread(plan.is_file):
            raise _no_plan(plan)
        async with self._begin("reading the plan") as run:
            document = await run.document(lambda: run.terraform.show(plan))
        return review_of(document, self._redact)

    async def cancel(self) -> None:
        """End the operation in progress in good order; returns when its process is gone.

        A listener must not wait for this: the operation waits for it.
        """
        if self._operation is not None:
            await self._operation.cancel()

    @property
    def _lock_timeout(self) -> str:
        return f"{self._settings.lock_timeout_s:g}s"

    def _variables(self) -> str | None:
        file = self.workspace.variables_file
        return str(file) if file.is_file() else None

    @asynccontextmanager
    async def _begin(
        self, doing: str, on_event: OnEvent = nobody, timeout_s: float | None = None
    ) -> AsyncIterator[Operation]:
        if self._operation is not None:
            raise NotReadyError(
                "STACK_BUSY", f"{self._operation.doing} of this stack is under way; wait for it"
            )
        patience = Patience(
            timeout_s=timeout_s or self._settings.plan_timeout_s,
            grace_s=self._settings.cancel_grace_s,
        )
        self._operation = Operation(
            doing=doing,
            command=self._command,
            folder=self.workspace.module_dir,
            environment=self._environment,
            patience=patience,
            redact=self._redact,
            on_event=on_event,
        )
        try:
            yield self._operation
        finally:
            self._operation.over.set()
            self._operation = None

    async def _recover_state(self, run: Operation) -> None:
        """Put a state where it belongs that Terraform could only leave beside its module."""
        if self._mended:
            self._mended = False
            await run.tell(
                RunNote(
                    text="the state was damaged: this plan begins with that before the last apply,"
                    " and what that apply made may have to be adopted or removed by hand"
                )
            )
        left = self.workspace.errored_state
        if not await asyncio.to_thread(left.is_file):
            return
        if await asyncio.to_thread(is_document, left):
            ended = await run.terraform.push_state(left)
            if ended.rc == 0:
                await asyncio.to_thread(left.unlink)
                await run.tell(RunNote(text="the state of the last run was recovered"))
                return
            if not any(word in ended.stderr for word in _NO_SUCCESSOR):
                await run.judge(ended)
        kept = self.workspace.state_file.with_name("errored.tfstate")
        await asyncio.to_thread(left.replace, kept)
        await run.tell(
            RunNote(text=f"what the last run could not save is no usable state; it is kept: {kept}")
        )


@contextmanager
def _discarded_on_failure(plan: Path) -> Iterator[None]:
    """Even a plan that failed may have been written, with all the secrets of one."""
    try:
        yield
    except BaseException:
        plan.unlink(missing_ok=True)
        raise


def _digest_of(plan: Path) -> str:
    try:
        with plan.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise _no_plan(plan) from error


def _whole_plan(plan: Path) -> str:
    """The digest of a plan that was just made.

    On a full disk Terraform writes half a plan and reports success.
    """
    try:
        with zipfile.ZipFile(plan) as archive:
            whole = archive.testzip() is None
    except (zipfile.BadZipFile, OSError):
        whole = False
    if not whole:
        raise ExhaustedError(
            "DISK_FULL", f"the plan {plan} was not written whole; make room, then plan again"
        )
    return _digest_of(plan)


def _check_digest(plan: Path, digest: str) -> None:
    found = _digest_of(plan)
    if found != digest:
        raise CorruptError(
            "PLAN_TAMPERED",
            f"{plan} is not the plan that was approved ({digest[:12]}…); make a new plan",
            found=found,
            approved=digest,
        )


def _no_plan(plan: Path) -> BenchlineError:
    return NotFoundError("PLAN_NOT_FOUND", f"there is no plan {plan.name}; make a new one")
