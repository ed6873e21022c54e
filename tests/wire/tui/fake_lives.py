"""Live simulations of the fake control plane: each says back what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from benchline.errors import InvalidRequestError, NotReadyError
from benchline.v1 import console_pb2, live_simulation_pb2_grpc, verdict_pb2
from benchline.v1 import live_simulation_pb2 as live_pb2

GREETING = b"ready [b]\n"


class FakeLives(live_simulation_pb2_grpc.LiveSimulationServiceServicer):
    """One simulator without a processor."""

    def __init__(self) -> None:
        self.lives: dict[str, live_pb2.LiveSimulation] = {}
        self.said: dict[str, bytes] = {}
        self.full = False
        self._changed = asyncio.Event()

    def change(self, live: live_pb2.LiveSimulation, said: bytes = b"", **fields: object) -> None:
        """Change one, let it say something, and wake the watchers."""
        live.MergeFrom(live_pb2.LiveSimulation(**fields))
        live.revision += 1
        self.said[live.name] += said
        self._changed.set()
        self._changed = asyncio.Event()

    async def StartLiveSimulation(self, request, context):
        from tests.wire.tui.fake_server import refuse

        if self.full:
            await refuse(context, NotReadyError("LIVE_SIMULATIONS_FULL", "4 of them run"))
        name = f"liveSimulations/01live{len(self.lives)}"
        live = live_pb2.LiveSimulation(
            name=name,
            session=request.session,
            title="Temperature relay",
            board_model="olimex-stm32-h405",
            rung="qemu-netduinoplus2",
            test_build=True,
            signals=[live_pb2.LiveSignal(name="temperature", pin="PA1", kind="analog", unit="C")],
        )
        live.create_time.FromSeconds(1_800_000_000)
        self.lives[name], self.said[name] = live, b""
        self.change(live, GREETING, state=verdict_pb2.STATE_RUNNING, epoch=1)
        return live_pb2.StartLiveSimulationResponse(live_simulation=live)

    async def GetLiveSimulation(self, request, context):
        found = next(one for one in self.lives.values() if request.name in one.name)
        return live_pb2.GetLiveSimulationResponse(live_simulation=found)

    async def ListLiveSimulations(self, request, context):
        found = [one for one in self.lives.values() if request.session in ("", one.session)]
        return live_pb2.ListLiveSimulationsResponse(live_simulations=found[::-1])

    async def WatchLiveSimulation(
        self, request, context
    ) -> AsyncIterator[live_pb2.WatchLiveSimulationResponse]:
        live, offset, told = self.lives[request.name], request.offset, 0
        while True:
            data = self.said[live.name][offset:]
            chunks = [console_pb2.ConsoleChunk(offset=offset, data=data, epoch=live.epoch)]
            answer = live_pb2.WatchLiveSimulationResponse(chunks=chunks if data else [])
            offset += len(data)
            if live.revision > told:
                told = live.revision
                answer.live_simulation.CopyFrom(live)
            yield answer
            if live.state == verdict_pb2.STATE_DONE:
                return
            await self._changed.wait()

    async def SendToLiveSimulation(self, request, context):
        self.change(self.lives[request.name], b"you said " + request.data)
        return live_pb2.SendToLiveSimulationResponse()

    async def SetLiveSignal(self, request, context):
        from tests.wire.tui.fake_server import refuse

        if request.signal != "temperature":
            await refuse(context, InvalidRequestError("SIGNAL_UNKNOWN", "there is no such input"))
        said = f"{request.signal} is {request.value}\n".encode()
        self.change(self.lives[request.name], said)
        return live_pb2.SetLiveSignalResponse(pin="PA1", level_or_counts=931)

    async def ResetLiveSimulation(self, request, context):
        live = self.lives[request.name]
        self.change(live, GREETING, epoch=live.epoch + 1)
        return live_pb2.ResetLiveSimulationResponse(live_simulation=live)

    async def StopLiveSimulation(self, request, context):
        live = self.lives[request.name]
        self.change(
            live,
            state=verdict_pb2.STATE_DONE,
            reason="STOPPED",
            message="stopped on request",
            fix="start it again: benchline simulate 01kdemo",
        )
        return live_pb2.StopLiveSimulationResponse(live_simulation=live)
