"""What the stages of a session made, and designs without a session."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import grpc

from benchline.errors import InvalidRequestError, NotFoundError
from benchline.names import session_id
from benchline.v1 import (
    build_pb2,
    build_pb2_grpc,
    design_pb2,
    design_pb2_grpc,
    simulation_pb2,
    simulation_pb2_grpc,
    verdict_pb2,
)
from controlplane.domain.build import Build
from controlplane.domain.design import Design
from controlplane.domain.finding import Finding
from controlplane.domain.part import BoardModel
from controlplane.domain.simulation import Simulation
from controlplane.domain.verdict import Stage
from controlplane.edge.render import board_model_message, design_message, finding_message
from controlplane.edge.requests import page_size, read_page_token, write_page_token
from controlplane.edge.translate import to_wire
from controlplane.edge.upload_rules import LONGEST_WISH, read_prompt
from controlplane.storage.codec import from_json
from controlplane.storage.sessions import SessionStore

T = TypeVar("T")
Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A design, or why there is none."""

    design: Design | None
    findings: tuple[Finding, ...] = ()


class Designer(Protocol):
    """What turns a sentence into a design."""

    async def preview(self, prompt: str, board: str) -> Preview:
        """Design without starting a session."""
        ...


class DesignService(design_pb2_grpc.DesignServiceServicer):
    """Designs, and the catalogue they are made of."""

    def __init__(self, designer: Designer, board_models: Sequence[BoardModel]) -> None:
        self._designer = designer
        self._board_models = sorted(board_models, key=lambda model: model.key)

    async def PreviewDesign(  # noqa: N802
        self, request: design_pb2.PreviewDesignRequest, context: Context
    ) -> design_pb2.PreviewDesignResponse:
        """A design, or REFUSED with all reasons."""
        if len(request.board) > LONGEST_WISH:
            raise InvalidRequestError(
                "BOARD_WISH_TOO_LONG", f"a board wish has at most {LONGEST_WISH} characters"
            )
        preview = await self._designer.preview(read_prompt(request.prompt), request.board.strip())
        refused = preview.design is None
        answer = design_pb2.PreviewDesignResponse(
            outcome=verdict_pb2.OUTCOME_REFUSED if refused else verdict_pb2.OUTCOME_PASSED,
            findings=[finding_message(item, Stage.DESIGN) for item in preview.findings],
        )
        if preview.design is not None:
            answer.design.CopyFrom(design_message(preview.design))
        return answer

    async def ListBoardModels(  # noqa: N802
        self, request: design_pb2.ListBoardModelsRequest, context: Context
    ) -> design_pb2.ListBoardModelsResponse:
        """Board models by key."""
        after = read_page_token("boardModels", request.page_token)
        size = page_size(request.page_size)
        rest = [model for model in self._board_models if after is None or model.key > after]
        page = rest[:size]
        return design_pb2.ListBoardModelsResponse(
            board_models=[board_model_message(model) for model in page],
            next_page_token=write_page_token(
                "boardModels", page[-1].key if len(rest) > size else None
            ),
        )


class BuildService(build_pb2_grpc.BuildServiceServicer):
    """What the BUILD stage made."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store

    async def GetBuild(  # noqa: N802
        self, request: build_pb2.GetBuildRequest, context: Context
    ) -> build_pb2.GetBuildResponse:
        """The newest build."""
        found = await checkpoint(self._store, request.session, "build", Build)
        if found is None:
            raise NotFoundError("BUILD_NOT_FOUND", f"{request.session} has no build yet")
        return build_pb2.GetBuildResponse(build=to_wire(found, build_pb2.Build))


class SimulationService(simulation_pb2_grpc.SimulationServiceServicer):
    """What the SIMULATE stage found."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store

    async def GetSimulation(  # noqa: N802
        self, request: simulation_pb2.GetSimulationRequest, context: Context
    ) -> simulation_pb2.GetSimulationResponse:
        """The newest simulation."""
        found = await checkpoint(self._store, request.session, "simulation", Simulation)
        if found is None:
            raise NotFoundError("SIMULATION_NOT_FOUND", f"{request.session} has no simulation yet")
        return simulation_pb2.GetSimulationResponse(
            simulation=to_wire(found, simulation_pb2.Simulation)
        )


async def checkpoint(store: SessionStore, name: str, key: str, kind: type[T]) -> T | None:
    """What a stage of a session kept under a key."""
    session = await store.find(session_id(name))
    text = await store.get_checkpoint(session.session_id, key)
    return None if text is None else from_json(kind, text)
