"""BUILD: a design becomes a sketch, and a sketch becomes images."""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchline.errors import BenchlineError, CorruptError, InvalidRequestError
from controlplane.bench_core.manifest import PORTS
from controlplane.catalog.loader import Catalogue
from controlplane.childproc.tools import ToolBrokenError
from controlplane.domain.artifact import Artifact
from controlplane.domain.build import Build, SourceFile
from controlplane.domain.design import Design
from controlplane.domain.finding import Finding
from controlplane.domain.image import flat_image, read_image
from controlplane.domain.model_call import Role, Turn
from controlplane.domain.session import Session
from controlplane.domain.verdict import Outcome, Severity, Stage, StageFinding
from controlplane.firmware.protocol import FirmwareAuthor, History, NotWritten, SourceProject
from controlplane.pipeline.attempts import SCENARIOS_KEY, RepairTurn, turn_key, written_key
from controlplane.pipeline.exports import keep_project_files
from controlplane.pipeline.images import VENDOR_HEX
from controlplane.pipeline.project import DESIGN_KEY, Project, load_project
from controlplane.pipeline.slots import Slots
from controlplane.pipeline.stage import (
    StageResult,
    StageRun,
    chosen,
    stage_findings,
    telling,
    with_artifact,
)
from controlplane.planning.complaints import complaint
from controlplane.planning.repair import scenarios_digest
from controlplane.storage.artifacts import ArtifactStore
from controlplane.storage.boards import BoardStore
from controlplane.storage.codec import from_json, to_json
from controlplane.storage.sessions import SessionStore
from controlplane.toolchains.protocol import (
    BuildRequest,
    BuildResult,
    BuildVariant,
    Image,
    NoToolchainError,
    Toolchain,
)

BUILD_KEY = "build"
_MAX_DIAGNOSTIC_EVENTS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildParts:
    """What the stage works with."""

    artifacts: ArtifactStore
    boards: BoardStore
    catalogue: Catalogue
    store: SessionStore
    authors: Mapping[str, FirmwareAuthor]
    toolchain: Toolchain
    slots: Slots
    work_dir: Path


class BuildStage:
    """Writes the sketch, compiles it twice (test and release), stores everything."""

    def __init__(self, parts: BuildParts) -> None:
        self._parts = parts

    async def run(self, run: StageRun) -> StageResult:
        """Build, or take the result of an identical earlier build."""
        try:
            project = await load_project(run, self._parts.catalogue, self._parts.boards)
        except InvalidRequestError as error:
            if error.reason != "BOARD_UNKNOWN":
                raise
            return await self._unsupported(
                run, "E101", error.facts.get("board", "board"), str(error), _models_built_for()
            )
        request = await self._request(run, project)
        if isinstance(request, NotWritten):
            return await self._not_written(run, request)
        try:
            fingerprint = await self._parts.toolchain.fingerprint(request.board_model)
        except ToolBrokenError as error:
            return await self._unbuilt(run, broken_build(error), "")
        except NoToolchainError as error:
            fix = f"{error.fix} {_models_built_for()}".strip()
            return await self._unsupported(
                run, "NO_TOOLCHAIN", request.board_model, str(error), fix
            )
        inputs_hash = _inputs_hash(request, fingerprint)
        cached = await self._cached(run.session, inputs_hash)
        if cached is not None:
            return await self._conclude(run, project, cached, inputs_hash, from_cache=True)
        async with self._parts.slots.compiler():
            with TemporaryDirectory(dir=self._parts.work_dir, prefix="build-") as folder:
                result = await self._parts.toolchain.build(request, Path(folder))
                build = await self._stored(run, request, result)
        if result.outcome in (Outcome.PASSED, Outcome.FAILED):
            await self._parts.store.put_cached_stage(Stage.BUILD, inputs_hash, to_json(build))
        if result.outcome in (Outcome.BROKEN, Outcome.REFUSED):
            return await self._unbuilt(run, result, inputs_hash)
        return await self._conclude(run, project, build, inputs_hash, from_cache=False)

    async def _request(self, run: StageRun, project: Project) -> BuildRequest | NotWritten:
        source = run.session.request.source
        if source is not None and not source.is_design:
            files = source.files
            if project.design is not None:
                await run.keep(DESIGN_KEY, project.design.to_json())
        elif project.design is not None:
            written = await self._written(run, project.design)
            if isinstance(written, NotWritten):
                return written
            files = written.sources
        else:
            raise InvalidRequestError("NOTHING_TO_BUILD", "there is neither a design nor a sketch")
        return BuildRequest(
            name=_sketch_name(files),
            sources=files,
            board_model=project.board_model.key,
            design_hash=project.short_design_hash,
        )

    async def _written(self, run: StageRun, design: Design) -> SourceProject | NotWritten:
        """What the author writes for this attempt; kept, so that it is asked once.

        Raises:
            CorruptError: SCENARIOS_CHANGED, what judges is not what it was at the first attempt.
        """
        judging = scenarios_digest([(s.id, s.yaml) for s in design.scenarios])
        before = await run.kept(SCENARIOS_KEY)
        if before is None:
            await run.keep(SCENARIOS_KEY, judging)
        elif before != judging:
            raise CorruptError(
                "SCENARIOS_CHANGED", "the scenarios are not those of the first attempt"
            )
        key = written_key(run.attempt)
        kept = await run.kept(key)
        if kept is not None:
            return from_json(SourceProject, kept)
        author = chosen(self._parts.authors, run.session.request.designer)
        written = await author.write(design, await stage_history(run))
        if isinstance(written, SourceProject):
            edited = edited_scenarios(design, written)
            if edited is not None:
                return NotWritten(findings=(edited,), turns=written.turns)
            await run.keep(key, to_json(written))
        return written

    async def _cached(self, session: Session, inputs_hash: str) -> Build | None:
        """An earlier build whose images are all still stored."""
        text = await self._parts.store.cached_stage(Stage.BUILD, inputs_hash)
        if text is None:
            return None
        build = from_json(Build, text)
        try:
            for artifact in build.artifacts:
                await self._parts.artifacts.get(artifact.sha256)
        except BenchlineError:
            return None
        return replace(build, session=session.name, attempt=session.attempt)

    async def _stored(self, run: StageRun, request: BuildRequest, result: BuildResult) -> Build:
        artifacts: list[Artifact] = []
        for variant, image in result.images.items():
            for name, data in (await asyncio.to_thread(_files_of, variant, image)).items():
                artifacts.append(await self._put(data, name))
        if result.compile_commands is not None:
            commands = result.compile_commands.read_bytes()
            artifacts.append(await self._put(commands, "compile_commands.json"))
        release = result.images.get(BuildVariant.RELEASE)
        return Build(
            session=run.session.name,
            attempt=run.attempt,
            outcome=result.outcome,
            build_id=result.build_id,
            toolchain=result.toolchain,
            part=result.part,
            artifacts=tuple(artifacts),
            diagnostics=result.diagnostics,
            flash_used_bytes=release.size.flash_used if release else 0,
            flash_limit_bytes=release.size.flash_limit if release else 0,
            ram_used_bytes=release.size.ram_used if release else 0,
            ram_limit_bytes=release.size.ram_limit if release else 0,
            confinement=result.confinement,
            sources=request.sources,
        )

    async def _put(self, data: bytes, name: str) -> Artifact:
        return await self._parts.artifacts.put(data, kind=name, filename=name)

    async def _unbuilt(self, run: StageRun, result: BuildResult, inputs_hash: str) -> StageResult:
        finding = StageFinding(
            code="TOOLCHAIN_BROKEN" if result.outcome is Outcome.BROKEN else "PROJECT_REFUSED",
            subject=result.tool or "project",
            message=result.message,
            fix=result.fix or (f"apt install {result.package}" if result.package else ""),
            stage=Stage.BUILD,
        )
        await run.record(finding)
        return StageResult(outcome=result.outcome, message=result.message, inputs_hash=inputs_hash)

    async def _not_written(self, run: StageRun, written: NotWritten) -> StageResult:
        """The author has no sources to offer, and says why."""
        findings = stage_findings(written.findings, Stage.BUILD)
        await run.record(*findings)
        first = written.findings[0]
        message = f"cannot, because {first.message} {first.fix}".strip()
        return StageResult(outcome=Outcome.REFUSED, message=message)

    async def _unsupported(
        self, run: StageRun, code: str, subject: str, message: str, fix: str
    ) -> StageResult:
        """Nothing is wrong with the firmware or the lab: there is no builder for this board."""
        finding = StageFinding(
            code=code, subject=subject, message=message, fix=fix, stage=Stage.BUILD
        )
        await run.record(finding)
        return StageResult(outcome=Outcome.REFUSED, message=f"cannot, because {message}")

    async def _conclude(
        self,
        run: StageRun,
        project: Project,
        build: Build,
        inputs_hash: str,
        *,
        from_cache: bool,
    ) -> StageResult:
        await run.keep(BUILD_KEY, to_json(build))
        exported = await keep_project_files(self._parts.artifacts, project, build.sources)
        made = (*build.artifacts, exported)

        def with_build(session: Session) -> Session:
            for artifact in made:
                session = with_artifact(session, artifact)
            return replace(session, board_model=project.board_model.key)

        complaints = build.diagnostics[:_MAX_DIAGNOSTIC_EVENTS]
        await run.record(*complaints, *made, change=with_build)
        errors = [d for d in build.diagnostics if d.severity is Severity.ERROR]
        if build.outcome is Outcome.PASSED:
            flash, ram = build.flash_used_bytes, build.ram_used_bytes
            # ESP-IDF does not tell the RAM.
            told = f"{flash:,} bytes of flash" + (f", {ram:,} bytes of RAM" if ram else "")
            message = f"{told} with {build.toolchain}"
        elif errors:
            first = errors[0]
            message = f"{first.file}:{first.line}: {first.message} ({len(errors)} errors)"
        else:
            message = "the sketch does not build"
        return StageResult(
            outcome=build.outcome, message=message, cached=from_cache, inputs_hash=inputs_hash
        )


async def stage_history(run: StageRun) -> History:
    """The account of a session, and for a repair the conversation so far with the evidence."""
    history = History(
        session_id=run.session_id,
        attempt=run.attempt,
        ceiling_micro_usd=run.session.request.cost_ceiling_micro_usd,
        tell=telling(run),
    )
    if run.attempt == 1:
        return history
    before = await run.kept(written_key(run.attempt - 1))
    begun = await run.kept(turn_key(run.attempt))
    if before is None or begun is None:
        raise CorruptError("ATTEMPT_LOST", f"what attempt {run.attempt} begins with is not kept")
    turn = from_json(RepairTurn, begun)
    return replace(
        history,
        turns=(*from_json(SourceProject, before).turns, Turn(Role.USER, turn.evidence)),
        model=turn.model,
        effort=turn.effort,
    )


def edited_scenarios(design: Design, written: SourceProject) -> Finding | None:
    """A complaint when sources come with scenarios other than those of the design."""
    judging = {f"scenarios/{s.id}.yaml": s.yaml for s in design.scenarios}
    for file in written.files:
        if file.path.startswith("scenarios/") and judging.get(file.path) != file.content:
            return complaint(
                "E302", file.path[:80], "the sources change a scenario.", "Change the sketch."
            )
    return None


def broken_build(error: ToolBrokenError) -> BuildResult:
    """The result of a build whose compiler could not even be asked."""
    return BuildResult(
        outcome=Outcome.BROKEN,
        message=str(error),
        tool=error.tool,
        package=error.package,
        fix=error.fix,
    )


def _files_of(variant: BuildVariant, image: Image) -> dict[str, bytes]:
    """What is stored of an image, by name."""
    elf, text = image.elf.read_bytes(), image.hex.read_bytes()
    if not image.records:
        flat = flat_image(read_image(text, VENDOR_HEX, base=0))
        # What a vendor's image leaves out before its first piece is erased.
        start = min(segment.address for segment in image.segments)
        return {
            "firmware.vendor.elf": elf,
            "firmware.vendor.bin": b"\xff" * start + flat,
            VENDOR_HEX: text,
        }
    files = {
        f"firmware.{variant}.elf": elf,
        f"firmware.{variant}.bin": flat_image(read_image(elf, image.elf.name, base=0)),
        f"firmware.{variant}.hex": text,
    }
    if image.map is not None:
        files[f"firmware.{variant}.map"] = image.map.read_bytes()
    return files


def _models_built_for() -> str:
    built = ", ".join(sorted(name for port in PORTS.values() for name in port.variants))
    return f"Use a board model that there is a bench core for: {built}."


def _sketch_name(files: tuple[SourceFile, ...]) -> str:
    """The name of the sketch: of the only .ino file, or the first in order.

    Raises:
        InvalidRequestError: SKETCH_MISSING.
    """
    names = sorted(f.path.removesuffix(".ino") for f in files if f.path.endswith(".ino"))
    if not names:
        raise InvalidRequestError("SKETCH_MISSING", "the project has no .ino file")
    return names[0]


def _inputs_hash(request: BuildRequest, fingerprint: str) -> str:
    document = json.dumps([asdict(request), fingerprint], sort_keys=True)
    return hashlib.sha256(document.encode()).hexdigest()
