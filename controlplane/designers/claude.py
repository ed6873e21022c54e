"""The designer that asks Claude: any sentence, judged by the same validator as the offline one."""

from functools import cached_property

from controlplane.catalog.loader import Catalogue, load_catalogue
from controlplane.claude.calls import AnswerShape, Asker, Call, CallRefusedError
from controlplane.claude.prompting import as_data, findings_text, rules
from controlplane.claude.service import Claude
from controlplane.designers.catalogue_page import catalogue_page
from controlplane.designers.claude_reading import Declined, Wish, read_answer
from controlplane.designers.claude_wire import design_shape
from controlplane.designers.protocol import DesignRequest, Refusal
from controlplane.domain.design import BoardChoice, Design, DesignerStamp
from controlplane.domain.finding import Finding
from controlplane.domain.model_call import Role, Turn
from controlplane.planning.boards import choose_model
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
        fixed = self._fixed(request)
        if isinstance(fixed, Finding):
            return Refusal(findings=(fixed,))
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

    def _fixed(self, request: DesignRequest) -> BoardChoice | Finding | None:
        """The board that the wish or the sentence fixes, before anything is spent."""
        reader = PromptReader(self._catalogue.components, self._catalogue.names)
        reading = reader.read(request.prompt)
        said = [i.naming for i in reading.intents if isinstance(i, OnBoardModel)]
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
    return f"Design the device of this request. {board}\n\n{as_data('request', request.prompt)}"
