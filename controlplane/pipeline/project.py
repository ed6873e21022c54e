"""What a session is about once it is designed or uploaded: board, sources and scenarios."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from benchline.errors import InvalidRequestError, NotFoundError
from benchline.scenario import Scenario, ScenarioError, parse_scenario
from controlplane.bench_core.manifest import CorePort, port_for_board
from controlplane.catalog.loader import Catalogue
from controlplane.domain.bench import Board
from controlplane.domain.codec import DocumentError
from controlplane.domain.design import Design
from controlplane.domain.finding import Finding
from controlplane.domain.part import BoardModel, Part
from controlplane.domain.session import Session, Source
from controlplane.pipeline.stage import SessionRecord
from controlplane.pipeline.uploaded_image import known_image
from controlplane.planning.boards import choose_model
from controlplane.storage.boards import BoardStore

DESIGN_KEY = "design"
_SEED_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Everything that later stages need besides images.

    `port` is None on a part that the bench core is not made for: its firmware is made by a vendor's
    toolchain, or was brought as an image.
    `text_only` images print no BL records: nothing but their text is judged.
    """

    title: str
    board_model: BoardModel
    port: CorePort | None
    design: Design | None
    scenarios: tuple[Scenario, ...]
    text_only: bool = False

    @property
    def part(self) -> str:
        """Catalogue key of the part."""
        return self.board_model.part

    @property
    def core(self) -> CorePort:
        """The bench core of the part.

        Raises:
            InvalidRequestError: PART_NOT_SUPPORTED, there is none.
        """
        if self.port is None:
            raise InvalidRequestError(
                "PART_NOT_SUPPORTED",
                f"the bench core is not made for {self.part}",
                board=self.board_model.key,
            )
        return self.port

    @property
    def short_design_hash(self) -> str:
        """First 12 hex digits of the design's hash, or "none"; what the firmware prints at boot."""
        return self.design.design_hash[:12] if self.design else "none"


async def load_project(run: SessionRecord, catalogue: Catalogue, boards: BoardStore) -> Project:
    """Put together the project of a session.

    Raises:
        InvalidRequestError: DESIGN_INVALID, SCENARIO_INVALID, BOARD_UNKNOWN or PART_NOT_SUPPORTED.
        NotFoundError: DESIGN_NOT_FOUND.
    """
    session = run.session
    source = session.request.source
    if source is None or source.is_design:
        design: Design | None = await _stored_design(run)
        brought = source.scenarios if source is not None else ()
        texts = [(s.scenario_id, s.yaml) for s in brought]
        texts = texts or ([(s.id, s.yaml) for s in design.scenarios] if design else [])
    else:
        design = uploaded_design(source)
        texts = [(s.scenario_id, s.yaml) for s in source.scenarios]
        if not texts and design is not None:
            texts = [(s.id, s.yaml) for s in design.scenarios]
    image = await known_image(run)
    if image is not None:
        board_model = catalogue.boards[image.board_model]
    else:
        bench = await boards.boards() if session.request.board_wish and design is None else []
        board_model = chosen_board_model(session, design, catalogue, bench)
    port: CorePort | None = None
    try:
        port, _ = port_for_board(board_model.key)
    except KeyError:
        if image is not None and image.test_build:
            raise InvalidRequestError(
                "PART_NOT_SUPPORTED",
                f"{board_model.name}: the bench core of this test build is not made for its part",
                board=board_model.key,
            ) from None
    return Project(
        title=design.title if design else (source.title if source else "") or "project",
        board_model=board_model,
        port=port,
        design=design,
        scenarios=parsed_scenarios(texts, catalogue.part_of(board_model)),
        text_only=port is None if image is None else not image.test_build,
    )


async def _stored_design(run: SessionRecord) -> Design:
    text = await run.kept(DESIGN_KEY)
    if text is None:
        raise NotFoundError(
            "DESIGN_NOT_FOUND", f"{run.session.name} has no design", session=run.session.name
        )
    return Design.from_json(text)


def uploaded_design(source: Source) -> Design | None:
    """The design that came with a project.

    Raises:
        InvalidRequestError: DESIGN_INVALID with every problem.
    """
    if not source.design_json:
        return None
    try:
        return Design.from_json(source.design_json)
    except (DocumentError, ValueError) as error:
        raise InvalidRequestError(
            "DESIGN_INVALID", f"design.json: {error}", problems=str(error)[:2000]
        ) from error


def chosen_board_model(
    session: Session, design: Design | None, catalogue: Catalogue, bench: Sequence[Board]
) -> BoardModel:
    """The board model of the design, or of the operator's wish, or the default one.

    Raises:
        InvalidRequestError: BOARD_UNKNOWN with the list of models.
    """
    if design is not None:
        model = catalogue.boards.get(design.board.model)
        if model is not None:
            return model
        known = ", ".join(catalogue.boards)
        raise InvalidRequestError(
            "BOARD_UNKNOWN",
            f"{design.board.model!r} is not a board model; there is {known}",
            board=design.board.model,
        )
    choice = choose_model(catalogue, session.request.board_wish, (), bench)
    if isinstance(choice, Finding):
        raise InvalidRequestError(
            "BOARD_UNKNOWN", f"{choice.message} {choice.fix}", board=choice.subject
        )
    return catalogue.boards[choice.model]


def parsed_scenarios(
    texts: list[tuple[str, str]], part: Part | None = None
) -> tuple[Scenario, ...]:
    """Parse scenario files; with a part, for boards that have it.

    Raises:
        InvalidRequestError: SCENARIO_INVALID naming every finding of every file.
    """
    parsed, problems = [], []
    for name, text in texts:
        try:
            scenario = parse_scenario(text)
        except ScenarioError as error:
            problems.append(f"{name}: {error}")
            continue
        parsed.append(scenario)
        # Pins of two families share their numbers: GPIO5 must not be moved for one named PA5.
        problems += [
            f"{name}: line {signal.line}: signals.{signal.name}: the {part.name} has no pin "
            f"{signal.spelling}"
            for signal in scenario.signals.values()
            if part is not None and part.pin(signal.spelling) is None
        ]
    names = [scenario.id for scenario in parsed]
    problems += [f"scenario id {n!r} is used twice" for n in set(names) if names.count(n) > 1]
    if problems:
        text = "\n".join(problems)
        raise InvalidRequestError("SCENARIO_INVALID", text, problems=text[:2000])
    return tuple(parsed)


def session_seed(session: Session, project: Project, secret: bytes) -> int:
    """The seed of a session: the one it was given, or one that nobody can know beforehand.

    It then follows from the installation's secret and from what is judged, so that the author of
    the firmware cannot know it and a repeated session draws the same values.
    """
    if session.request.seed is not None:
        return session.request.seed
    if project.design is not None:
        subject = project.design.design_hash
    else:
        source = session.request.source
        brought = [(s.scenario_id, s.yaml) for s in source.scenarios] if source else []
        subject = hashlib.sha256(json.dumps(brought).encode()).hexdigest()
    digest = hashlib.blake2b(subject.encode(), key=secret, digest_size=_SEED_BYTES).digest()
    return int.from_bytes(digest, "big")
