"""The author that asks Claude: sources for any design, checked before a compiler sees them."""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from controlplane.catalog.loader import Catalogue, load_catalogue
from controlplane.claude.calls import AnswerShape, Asker, Call, CallRefusedError
from controlplane.claude.prompting import as_data, findings_text, rules
from controlplane.claude.schema import says, schema_of
from controlplane.claude.service import Claude
from controlplane.domain.build import SourceFile
from controlplane.domain.codec import DocumentError, decode
from controlplane.domain.design import Design
from controlplane.domain.finding import Finding
from controlplane.domain.model_call import Role, Turn
from controlplane.firmware.board_pins import FILE, board_pins
from controlplane.firmware.lint import MAIN, PATHS, lint
from controlplane.firmware.offline import companions, project_name
from controlplane.firmware.protocol import (
    NO_HISTORY,
    History,
    NotWritten,
    SourceProject,
    Stronger,
)
from controlplane.planning.complaints import complaint
from controlplane.skills.loader import framework_of, sheets_for

ROUNDS = 2
"""How often findings about the files themselves go back to the model."""

_MEND = (
    "The files cannot be compiled as they are. Findings:\n\n{findings}\n\n"
    "Answer with the files that change, each whole."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WireFile:
    """A source file."""

    path: str
    content: str = says("the whole file; empty removes it")


@dataclass(frozen=True, slots=True, kw_only=True)
class WireSources:
    """The whole answer."""

    files: tuple[WireFile, ...]
    notes: tuple[str, ...] = says("what a reader should know, or []")


SHAPE = AnswerShape(
    name="submit_sources",
    description="Submit the source files.",
    schema=schema_of(WireSources, {"WireFile.path": PATHS}),
)


class ClaudeAuthor:
    """Asks for sources, lints them, and merges what repairs change."""

    name = "claude"
    version = "1"
    repairs = True

    def __init__(self, claude: Claude, catalogue: Catalogue | None = None) -> None:
        self._claude = claude
        self._catalogue = catalogue or load_catalogue()

    @property
    def stronger(self) -> Stronger | None:
        """The model and effort that the configuration names for repairs that had no effect."""
        settings = self._claude.settings
        if not settings.repair_model and not settings.repair_effort:
            return None
        return Stronger(model=settings.repair_model, effort=settings.repair_effort)

    async def write(
        self, design: Design, history: History = NO_HISTORY
    ) -> SourceProject | NotWritten:
        """Write the project; with turns in the history, the repaired one.

        Raises:
            BenchlineError: the service is away, or does not accept the key or the request.
        """
        turns = history.turns or (Turn(Role.USER, _task(design)),)
        asker = Asker(
            session_id=history.session_id,
            attempt=history.attempt,
            tell=history.tell,
            ceiling_micro_usd=history.ceiling_micro_usd,
        )
        findings: tuple[Finding, ...] = ()
        for _ in range(1 + ROUNDS):
            try:
                answer = await self._claude.ask(self._call(design, turns, history), asker)
            except CallRefusedError as error:
                refused = complaint(error.code, "claude", error.message, error.fix)
                return NotWritten(findings=(refused,), turns=turns)
            turns = (*turns, Turn(Role.ASSISTANT, answer.text.strip() or "(no answer)"))
            files, findings = written(turns)
            findings = findings or lint(design, files)
            if not findings:
                return _project(design, files, turns)
            told = as_data("findings", findings_text(findings))
            turns = (*turns, Turn(Role.USER, _MEND.format(findings=told)))
        return NotWritten(findings=findings, turns=turns)

    def prefix(self, design: Design) -> tuple[str, ...]:
        """What all requests for such a design begin with; the same bytes each time."""
        board = self._catalogue.boards[design.board.model]
        part = self._catalogue.part_of(board)
        kinds = [component.kind for component in design.components]
        sheets = sheets_for(board.key, part.key, kinds, framework_of(part))
        return (rules("author"), sheets.text() or "There are no skill sheets.")

    def _call(self, design: Design, turns: tuple[Turn, ...], history: History) -> Call:
        settings = self._claude.settings
        return Call(
            purpose="firmware",
            model=history.model or settings.model,
            effort=history.effort or settings.effort,
            max_tokens=settings.max_tokens,
            prefix=self.prefix(design),
            turns=turns,
            shape=SHAPE,
        )


def written(turns: tuple[Turn, ...]) -> tuple[dict[str, str], tuple[Finding, ...]]:
    """The files after all answers of a conversation, and what is wrong with the newest one.

    An earlier answer that could not be read changed nothing.
    """
    files: dict[str, str] = {}
    findings: tuple[Finding, ...] = ()
    for turn in turns:
        if turn.role is not Role.ASSISTANT:
            continue
        findings = _apply(turn.text, files)
    return files, findings


def _apply(text: str, files: dict[str, str]) -> tuple[Finding, ...]:
    """Take over one answer; all of it or nothing."""
    try:
        wire = decode(WireSources, text)
    except DocumentError as error:
        return tuple(
            complaint("E300", path, message[:200], "Keep to the schema.")
            for path, message in error.problems[:40]
        )
    paths = [file.path for file in wire.files]
    if not paths:
        return (complaint("E300", "files", "there is no file.", "Answer with files."),)
    twice = [path for path in set(paths) if paths.count(path) > 1]
    strange = [path for path in paths if path not in PATHS]
    if twice or strange:
        return tuple(
            complaint("E302", path[:80], "there is no place for it.", f"Use {', '.join(PATHS)}.")
            for path in sorted({*twice, *strange})
        )
    for file in wire.files:
        content = unicodedata.normalize("NFC", file.content).replace("\r\n", "\n")
        if content.strip():
            files[file.path] = content if content.endswith("\n") else f"{content}\n"
        else:
            files.pop(file.path, None)
    return ()


def _project(design: Design, files: Mapping[str, str], turns: tuple[Turn, ...]) -> SourceProject:
    name = project_name(design)
    sources = [
        SourceFile(path=f"{name}.ino" if path == MAIN else path, content=files[path])
        for path in PATHS
        if path in files
    ]
    pins = SourceFile(path=FILE, content=board_pins(design))
    return SourceProject(name=name, files=(*sources, pins, *companions(design)), turns=turns)


def _task(design: Design) -> str:
    """The first question: the design, the header, the scenarios; the request last, as data."""
    parts = [
        "Write the firmware of this design.",
        f"Board: {design.board.model}. {design.title}",
        "Components:\n" + "\n".join(f"- {c.id}: {c.kind}" for c in design.components),
        "Behaviours:\n"
        + "\n".join(_behaviour(b) for b in json.loads(design.to_json())["behaviours"]),
        f"`{FILE}`:\n\n```cpp\n{board_pins(design)}```",
        *(
            f"Scenario `{s.id}` (not to be changed):\n\n```yaml\n{s.yaml}```"
            for s in design.scenarios
        ),
        as_data("request", design.prompt),
    ]
    return "\n\n".join(parts)


def _behaviour(behaviour: Mapping[str, object]) -> str:
    return "- " + json.dumps(behaviour, ensure_ascii=False, sort_keys=True)
