"""DESIGN: a sentence or a document becomes a design, or is refused whole."""

from collections.abc import Mapping
from dataclasses import replace

from controlplane.catalog.loader import Catalogue
from controlplane.designers.protocol import Designer, DesignRequest, Refusal
from controlplane.domain.bench import Board
from controlplane.domain.design import Design
from controlplane.domain.event import DesignMade, Note
from controlplane.domain.finding import Finding
from controlplane.domain.question import MOST_QUESTIONS, MOST_ROUNDS
from controlplane.domain.session import Session
from controlplane.domain.verdict import Outcome, Stage
from controlplane.pipeline.project import DESIGN_KEY
from controlplane.pipeline.stage import (
    StageAsks,
    StageResult,
    StageRun,
    chosen,
    stage_findings,
    telling,
    with_artifact,
)
from controlplane.pipeline.uploaded_design import read_uploaded
from controlplane.planning.asking import answers_of, inputs_digest
from controlplane.planning.benches import absence
from controlplane.planning.boards import bench_selector
from controlplane.planning.complaints import complaint
from controlplane.storage.artifacts import ArtifactStore
from controlplane.storage.boards import BoardStore


class DesignStage:
    """Asks the designer or judges the document, stores the design."""

    def __init__(
        self,
        designers: Mapping[str, Designer],
        artifacts: ArtifactStore,
        boards: BoardStore,
        catalogue: Catalogue,
    ) -> None:
        self._catalogue = catalogue
        self._designers = designers
        self._artifacts = artifacts
        self._boards = boards

    async def run(self, run: StageRun) -> StageResult | StageAsks:
        """Design. A second run gives the same: the offline designer is deterministic, and answers
        that another one received are stored."""
        request = run.session.request
        bench = await self._boards.boards() if request.board_wish else []
        answer = await self._answer(run, tuple(bench))
        if isinstance(answer, Refusal):
            if answer.questions and _may_ask(run.session):
                return StageAsks(questions=answer.questions[:MOST_QUESTIONS])
            refusal = replace(answer, findings=_with_questions(answer))
            findings = stage_findings(refusal.findings, Stage.DESIGN)
            if findings:
                await run.record(*findings)
            return StageResult(outcome=Outcome.REFUSED, message=refusal_message(refusal))
        return await self._keep(run, answer)

    async def _answer(self, run: StageRun, bench: tuple[Board, ...]) -> Design | Refusal:
        request = run.session.request
        if request.source is not None:
            return read_uploaded(request.source, request.board_wish, bench, self._catalogue)
        return await chosen(self._designers, request.designer).design(
            DesignRequest(
                prompt=request.prompt,
                board=request.board_wish,
                bench=bench,
                session_id=run.session_id,
                attempt=run.attempt,
                ceiling_micro_usd=request.cost_ceiling_micro_usd,
                tell=telling(run),
                answers=answers_of(run.session.question_rounds),
            )
        )

    async def _keep(self, run: StageRun, design: Design) -> StageResult:
        document = design.to_json()
        stored = await self._artifacts.put(document.encode(), kind="design", filename="design.json")
        await run.keep(DESIGN_KEY, document)

        def with_design(session: Session) -> Session:
            return replace(
                with_artifact(session, stored),
                design_hash=design.design_hash,
                board_model=design.board.model,
            )

        made = DesignMade(
            design_hash=design.design_hash,
            title=design.title,
            board_model=design.board.model,
            scenarios=tuple(f"{s.id}: {s.title}" for s in design.scenarios),
        )
        await run.record(
            made,
            stored,
            *_generated_note(design),
            *await self._bench_notes(run.session, design),
            *stage_findings(design.findings, Stage.DESIGN),
            change=with_design,
        )
        behaviours, scenarios = len(design.behaviours), len(design.scenarios)
        message = (
            f"{design.title}: {behaviours} behaviour{'s' * (behaviours != 1)}, "
            f"{scenarios} scenario{'s' * (scenarios != 1)} on {design.board.model}"
        )
        return StageResult(
            outcome=Outcome.PASSED,
            message=message,
            inputs_hash=inputs_digest(design.prompt_digest, run.session.question_rounds),
        )

    async def _bench_notes(self, session: Session, design: Design) -> tuple[Note, ...]:
        """Told before anything is built: that there is no board for DEPLOY."""
        if session.request.until is not Stage.DEPLOY:
            return ()
        wish = session.request.board_wish
        selector = bench_selector(design.board.model, wish, self._catalogue)
        if await self._boards.boards(selector):
            return ()
        return (Note(text=absence(selector, await self._boards.boards())),)


def _generated_note(design: Design) -> tuple[Note, ...]:
    names = ", ".join(scenario.id for scenario in design.scenarios if scenario.generated)
    if not names:
        return ()
    return (Note(text=f"generated, for what the design brought no proof of: {names}"),)


def _may_ask(session: Session) -> bool:
    """Whether a person may be asked: not when none is there, and not without end."""
    return not session.request.no_questions and len(session.question_rounds) < MOST_ROUNDS


def _with_questions(refusal: Refusal) -> tuple[Finding, ...]:
    """The findings of a refusal, each question that nobody is asked among them."""
    told = {finding.subject for finding in refusal.findings if finding.code == "E106"}
    return (
        *refusal.findings,
        *(
            complaint("E106", question.question_id, question.text, "Say it in the sentence.")
            for question in refusal.questions
            if question.question_id not in told
        ),
    )


def refusal_message(refusal: Refusal) -> str:
    """One sentence: cannot, because of the first reason, and how many more there are."""
    if not refusal.findings:
        return "cannot, because the sentence was not understood"
    first, rest = refusal.findings[0], len(refusal.findings) - 1
    more = f" (and {rest} more)" if rest else ""
    fix = f" {first.fix}" if first.fix else ""
    return f"cannot, because {first.message}{fix}{more}"
