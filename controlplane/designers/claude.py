"""The designer that asks Claude: any sentence, judged by the same validator as the offline one."""

from dataclasses import replace
from functools import cached_property

from controlplane.catalog.loader import Catalogue, load_catalogue
from controlplane.catalog.naming import Naming
from controlplane.claude.calls import AnswerShape, Asker, Call, CallRefusedError
from controlplane.claude.prompting import as_data, findings_text, rules
from controlplane.claude.service import Claude
from controlplane.designers.catalogue_page import catalogue_page
from controlplane.designers.claude_questions import Declined
from controlplane.designers.claude_reading import Wish, read_answer
from controlplane.designers.claude_wire import design_shape
from controlplane.designers.protocol import DesignRequest, Refusal
from controlplane.domain.design import BoardChoice, Design, DesignerStamp
from controlplane.domain.finding import Finding
from controlplane.domain.model_call import Role, Turn
from controlplane.planning.asking import BOARD, board_question
from controlplane.planning.boards import choose_model, models_to_choose
from controlplane.planning.complaints import complaint
from controlplane.planning.intent import OnBoardModel
from controlplane.planning.reading import PromptReader
from controlplane.skills.loader import BENCH_CORE, sheets_for

ROUNDS = 2
"""How often findings go back to the model."""

_MEND = (
    "The document cannot be used as it is. Findings:\n\n{findings}\n\n"
    "Answer with the whole corrected document. What cannot be met goes to `infeasible`."
)


class ClaudeDesigner:
    """Asks, reads strictly, sends findings back, and refuses what stays wrong."""

    name = "claude"
    version = "1"

    def __init__(self, claude: Claude, catalogue: Catalogue | None = None) -> None:
        self._claude = claude
        self._given = catalogue

    @cached_property
    def _catalogue(self) -> Catalogue:
        return self._given or load_catalogue()

    @cached_property
    def _shape(self) -> AnswerShape:
        return design_shape(self._catalogue)

    @cached_property
    def prefix(self) -> tuple[str, ...]:
        """What all requests begin with; the same bytes in every session."""
        sheets = sheets_for("", "", self._catalogue.components, BENCH_CORE)
        return (rules("designer"), f"{catalogue_page(self._catalogue)}\n{sheets.text()}")

    async def design(self, request: DesignRequest) -> Design | Refusal:
        """Design with at most two rounds of findings.

        Raises:
            BenchlineError: the service is away, or does not accept the key or the request.
        """
        request = self._with_board(request)
        fixed = self._fixed(request)
        if isinstance(fixed, Finding):
            models = self._models(request)
            return Refusal(findings=(fixed,), questions=(board_question(models),) if models else ())
        asker = Asker(
            session_id=request.session_id,
            attempt=request.attempt,
            tell=request.tell,
            ceiling_micro_usd=request.ceiling_micro_usd,
        )
        try:
            return await self._converse(request, fixed, asker)
        except CallRefusedError as error:
            return Refusal(findings=(complaint(error.code, "claude", error.message, error.fix),))

    def _with_board(self, request: DesignRequest) -> DesignRequest:
        """The request with the board that a person chose among several, if it is one."""
        for answered in (each for given in request.answers for each in given):
            if answered.question.question_id == BOARD and self._models(request):
                chosen = replace(request, board=answered.text)
                request = request if isinstance(self._fixed(chosen), Finding) else chosen
        return request

    def _said_boards(self, prompt: str) -> list[Naming]:
        reader = PromptReader(self._catalogue.components, self._catalogue.names)
        return [i.naming for i in reader.read(prompt).intents if isinstance(i, OnBoardModel)]

    def _models(self, request: DesignRequest) -> tuple[str, ...]:
        """The board models among which the person has to choose."""
        said = self._said_boards(request.prompt)
        return models_to_choose(self._catalogue, request.board, said, request.bench)

    def _fixed(self, request: DesignRequest) -> BoardChoice | Finding | None:
        """The board that the wish or the sentence fixes, before anything is spent."""
        said = self._said_boards(request.prompt)
        if not said and not request.board:
            return None
        return choose_model(self._catalogue, request.board, said, request.bench)

    async def _converse(
        self, request: DesignRequest, fixed: BoardChoice | None, asker: Asker
    ) -> Design | Refusal:
        turns = [Turn(Role.USER, _question(request, fixed))]
        findings: tuple[Finding, ...] = ()
        for _ in range(1 + ROUNDS):
            answer = await self._claude.ask(self._call(turns), asker)
            wish = Wish(
                prompt=request.prompt,
                fixed=fixed,
                stamp=DesignerStamp(name=self.name, version=f"{self.version} {answer.model}"),
            )
            read = read_answer(answer.text, wish, self._catalogue)
            if isinstance(read, Design):
                return read
            if isinstance(read, Declined):
                return Refusal(findings=read.findings, questions=read.questions)
            findings = read
            turns += [
                Turn(Role.ASSISTANT, answer.text.strip() or "(no answer)"),
                Turn(
                    Role.USER, _MEND.format(findings=as_data("findings", findings_text(findings)))
                ),
            ]
        return Refusal(findings=findings)

    def _call(self, turns: list[Turn]) -> Call:
        settings = self._claude.settings
        return Call(
            purpose="design",
            model=settings.model,
            effort=settings.effort,
            max_tokens=settings.max_tokens,
            prefix=self.prefix,
            turns=tuple(turns),
            shape=self._shape,
        )


def _question(request: DesignRequest, fixed: BoardChoice | None) -> str:
    """What differs from one request to the next comes last, as data."""
    board = f"The board is fixed: {fixed.model}." if fixed else "The board is yours to choose."
    text = f"Design the device of this request. {board}\n\n{as_data('request', request.prompt)}"
    said = [
        f"question: {each.question.text}\nanswer: {each.text}"
        for given in request.answers
        for each in given
    ]
    if not said:
        return text
    told = "Questions about it were asked before, and the person answered:"
    return f"{text}\n\n{told}\n\n{as_data('answers', chr(10).join(said))}"
