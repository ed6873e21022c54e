"""What an attempt changed and what it cost."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.domain.attempt import AttemptChanged
from controlplane.domain.build import Build, SourceFile
from controlplane.domain.session import Session
from controlplane.domain.verdict import Outcome, Severity, Stage, State
from controlplane.pipeline.attempts import Snapshot, snapshot_key
from controlplane.pipeline.stage import with_artifact
from controlplane.planning.repair import failing_checks
from controlplane.storage.artifacts import ArtifactStore
from controlplane.storage.codec import from_json
from controlplane.storage.model_calls import ModelCallStore
from controlplane.storage.sessions import SessionStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How two versions of the sources differ."""

    files: int
    added: int
    removed: int
    text: str


class Account:
    """Reads the ledger and the builds of a session."""

    def __init__(
        self, artifacts: ArtifactStore, calls: ModelCallStore, store: SessionStore
    ) -> None:
        self._artifacts = artifacts
        self._calls = calls
        self._store = store

    async def build(self, session: Session) -> Build | None:
        """The build of the newest attempt, if it came to one."""
        text = await self._store.get_checkpoint(session.session_id, "build")
        build = from_json(Build, text) if text else None
        return build if build is not None and build.attempt == session.attempt else None

    async def ended(
        self, session: Session, outcome: Outcome, message: str, stage: Stage | None
    ) -> AttemptChanged:
        """The newest attempt as it is told when it is over; its diff becomes an artifact."""
        number = session.attempt
        build = await self.build(session)
        difference = await self._difference(session, build)
        digest = await self._kept(session, difference) if number > 1 else ""
        calls = [c for c in await self._calls.calls(session.session_id) if c.attempt == number]
        costs = [c.cost_micro_usd for c in calls]
        known = [cost for cost in costs if cost is not None]
        diagnostics = build.diagnostics if build else ()
        errors = sum(d.severity is Severity.ERROR for d in diagnostics)
        return AttemptChanged(
            attempt=number,
            state=State.DONE,
            outcome=outcome,
            message=message,
            stage=stage,
            files_changed=difference.files,
            lines_added=difference.added,
            lines_removed=difference.removed,
            failing_checks=failing_checks(session.scenario_results) or errors,
            warnings=sum(d.severity is Severity.WARNING for d in diagnostics),
            calls=len(calls),
            input_tokens=sum(c.usage.all_input for c in calls),
            cached_tokens=sum(c.usage.cache_read for c in calls),
            output_tokens=sum(c.usage.output for c in calls),
            cost_micro_usd=sum(known) if len(known) == len(costs) else None,
            model=next((c.model for c in reversed(calls) if c.model), ""),
            diff_sha256=digest,
        )

    async def _difference(self, session: Session, build: Build | None) -> Difference:
        if build is None:
            return Difference(files=0, added=0, removed=0, text="")
        before: Sequence[SourceFile] = ()
        text = await self._store.get_checkpoint(
            session.session_id, snapshot_key(session.attempt - 1)
        )
        if text is not None:
            earlier = from_json(Snapshot, text).build
            before = from_json(Build, earlier).sources if earlier else ()
        return difference(before, build.sources)

    async def _kept(self, session: Session, found: Difference) -> str:
        if not found.text:
            return ""
        name = f"attempt.{session.attempt}.diff"
        stored = await self._artifacts.put(
            found.text.encode("utf-8", "replace"), kind=name, filename=name
        )
        if not any(a.kind == name and a.sha256 == stored.sha256 for a in session.artifacts):
            await self._store.record(
                session.session_id,
                (stored,),
                attempt=session.attempt,
                change=lambda s: with_artifact(s, stored),
            )
        return stored.sha256


def difference(before: Sequence[SourceFile], after: Sequence[SourceFile]) -> Difference:
    """Compare two versions of the sources, file by file."""
    old = {file.path: file.content for file in before}
    new = {file.path: file.content for file in after}
    files = added = removed = 0
    text: list[str] = []
    for path in sorted({*old, *new}):
        lines = list(
            difflib.unified_diff(
                old.get(path, "").splitlines(),
                new.get(path, "").splitlines(),
                f"a/{path}" if path in old else "/dev/null",
                f"b/{path}" if path in new else "/dev/null",
                lineterm="",
            )
        )
        files += bool(lines)
        added += sum(line.startswith("+") for line in lines[2:])
        removed += sum(line.startswith("-") for line in lines[2:])
        text += lines
    return Difference(
        files=files, added=added, removed=removed, text="\n".join([*text, ""]) if text else ""
    )
