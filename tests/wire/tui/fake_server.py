"""A small control plane for the tests of the console: real gRPC, canned answers."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import grpc

from benchline.errors import (
    BenchlineError,
    InvalidRequestError,
    NotFoundError,
    NotReadyError,
    status_of,
)
from benchline.v1 import (
    artifact_pb2,
    artifact_pb2_grpc,
    bench_pb2,
    bench_pb2_grpc,
    build_pb2,
    build_service_pb2_grpc,
    console_pb2,
    console_pb2_grpc,
    deployment_pb2,
    deployment_pb2_grpc,
    design_pb2,
    design_pb2_grpc,
    event_pb2,
    flash_pb2,
    live_simulation_pb2_grpc,
    question_pb2,
    server_pb2,
    server_pb2_grpc,
    session_pb2,
    session_pb2_grpc,
    stack_pb2_grpc,
    verdict_pb2,
)
from tests.wire.tui.fake_care import FakeCare
from tests.wire.tui.fake_lives import FakeLives
from tests.wire.tui.fake_stacks import FakeStacks

BOARD = "agents/bench/boards/vf405-01"
CONSOLE = f"consoles/{BOARD}"
TRANSCRIPT = (
    b"\x1eBL 0 BOOT core=1 part=stm32f405rg build=0123456789ab design=none nonce=00000001\n"
    b"\x1eBL 1 READY\n"
    b"\x1eBL 3000 PIN PB0 v=1\n"
    b"\x1eBL 3001 OUT S0\ntemperature 31.5 C\n"
    b"\x1eBL 9000 END dropped=0\n"
)


async def refuse(context: grpc.aio.ServicerContext, error: BenchlineError) -> None:
    """Abort a call as the control plane does."""
    status = status_of(error)
    await context.abort(
        error.code,
        str(error),
        trailing_metadata=(("grpc-status-details-bin", status.SerializeToString()),),
    )


def passed_events(outcome: int = verdict_pb2.OUTCOME_PASSED) -> list[event_pb2.Event]:
    """The events of one run of a demo, ending with an outcome."""
    design, simulate, deploy = (
        verdict_pb2.STAGE_DESIGN,
        verdict_pb2.STAGE_SIMULATE,
        verdict_pb2.STAGE_DEPLOY,
    )
    running, done = verdict_pb2.STATE_RUNNING, verdict_pb2.STATE_DONE
    assertion = verdict_pb2.AssertionResult(
        assertion_id="relay_on",
        kind="expect",
        outcome=outcome,
        message="relay went on",
        expected="PB0 on by 4.500 s",
        got="PB0 on at 3.000 s",
        at_ms=3000,
        evidence=[verdict_pb2.ByteRange(console=CONSOLE, start=94, end=115)],
    )

    def result(stage: int, runner: str, evidence: int) -> verdict_pb2.ScenarioResult:
        return verdict_pb2.ScenarioResult(
            scenario_id="main",
            title="The whole device",
            stage=stage,
            outcome=outcome,
            evidence=evidence,
            runner=runner,
            seed=7,
            device_ms=9000,
            wall_ms=9100,
            assertions=[assertion],
            console=verdict_pb2.ByteRange(console=CONSOLE, start=0, end=len(TRANSCRIPT)),
        )

    def stage(which: int, state: int, ended: int = 0, spent: int = 0) -> event_pb2.Event:
        return event_pb2.Event(
            stage=which,
            stage_changed=event_pb2.StageChanged(
                stage=which, state=state, outcome=ended, runs=1, duration_ms=spent
            ),
        )

    def scenario(which: int, runner: str, evidence: int) -> list[event_pb2.Event]:
        return [
            event_pb2.Event(
                stage=which,
                scenario_started=event_pb2.ScenarioStarted(
                    scenario_id="main",
                    title="The whole device",
                    runner=runner,
                    seed=7,
                    device_ms=9000,
                    assertion_ids=["relay_on"],
                ),
            ),
            event_pb2.Event(
                stage=which,
                assertion_decided=event_pb2.AssertionDecided(
                    scenario_id="main", runner=runner, result=assertion
                ),
            ),
            event_pb2.Event(stage=which, scenario_finished=result(which, runner, evidence)),
        ]

    events = [
        event_pb2.Event(session_changed=event_pb2.SessionChanged(state=running)),
        stage(design, running),
        event_pb2.Event(
            stage=design,
            design_made=event_pb2.DesignMade(
                design_hash="ab" * 32,
                title="Temperature relay",
                board_model="olimex-stm32-h405",
                scenarios=["main: The whole device"],
            ),
        ),
        stage(design, done, verdict_pb2.OUTCOME_PASSED, 20),
        stage(verdict_pb2.STAGE_BUILD, running),
        stage(verdict_pb2.STAGE_BUILD, done, verdict_pb2.OUTCOME_PASSED, 3100),
        stage(simulate, running),
        *scenario(simulate, "qemu-netduinoplus2", verdict_pb2.EVIDENCE_SIMULATED),
        stage(simulate, done, outcome, 800),
        stage(deploy, running),
        event_pb2.Event(
            stage=deploy,
            lease_changed=event_pb2.LeaseChanged(
                lease="leases/l1", board=BOARD, change="granted", fencing_token=1
            ),
        ),
        event_pb2.Event(
            stage=deploy,
            flash_progress=event_pb2.FlashProgress(
                command_id="c1", board=BOARD, phase="program", fraction=0.56, image="test"
            ),
        ),
        event_pb2.Event(
            stage=deploy,
            flash=deployment_flash("c1", verdict_pb2.OUTCOME_PASSED),
        ),
        *scenario(deploy, BOARD, verdict_pb2.EVIDENCE_VIRTUAL),
        event_pb2.Event(
            stage=deploy,
            console_range=event_pb2.ConsoleRange(
                range=verdict_pb2.ByteRange(console=CONSOLE, start=0, end=len(TRANSCRIPT)),
                epoch=1,
            ),
        ),
        stage(deploy, done, outcome, 11_000),
        event_pb2.Event(
            session_changed=event_pb2.SessionChanged(
                state=done,
                outcome=outcome,
                evidence=verdict_pb2.EVIDENCE_VIRTUAL,
                message="every check passed on vf405-01",
            )
        ),
    ]
    return numbered(events)


def numbered(events: list[event_pb2.Event]) -> list[event_pb2.Event]:
    """The journal of the session that these events make."""
    for number, event in enumerate(events, start=1):
        event.sequence = number
        event.session = "sessions/01kdemo"
        event.attempt = 1
        event.time.FromMilliseconds(1_800_000_000_000 + number * 10)
    return events


def deployment_flash(command: str, outcome: int):
    """One write to flash."""
    return flash_pb2.FlashRecord(
        command_id=command,
        board=BOARD,
        image="test",
        outcome=outcome,
        sectors_erased=3,
        bytes_programmed=20_480,
    )


class FakeControlPlane:
    """State that the tests set and read; ``serve`` makes it answer."""

    def __init__(self) -> None:
        self.sessions: dict[str, session_pb2.Session] = {}
        self.events: dict[str, list[event_pb2.Event]] = {}
        self.created: list[session_pb2.CreateSessionRequest] = []
        self.uploads: dict[str, bytes] = {}
        self.cancelled: list[str] = []
        self.answered: list[session_pb2.AnswerQuestionsRequest] = []
        self.answers_refused: BenchlineError | None = None
        self.asks: list[question_pb2.Question] = []
        self.watch_starts: list[int] = []
        self.list_watches = 0
        self.sent: list[bytes] = []
        self.busy = False
        self.cared: list[str] = []
        self.lives = FakeLives()
        self.stacks = FakeStacks()
        self.recovers: verdict_pb2.Outcome.ValueType = verdict_pb2.OUTCOME_PASSED
        self.break_after: int | None = None
        self.hold_at: int | None = None
        self.changed = asyncio.Event()
        self.watched = asyncio.Event()
        self.outcome: int = verdict_pb2.OUTCOME_PASSED
        self.designers = [
            server_pb2.DesignerState(designer="offline", ready=True, detail="known wordings"),
            server_pb2.DesignerState(
                designer="claude",
                ready=False,
                detail="not configured: there is no key",
                fix="Set ANTHROPIC_API_KEY.",
                costs=True,
            ),
        ]
        self.boards = [
            bench_pb2.Board(
                name=f"agents/bench/boards/vf405-0{n}",
                model="olimex-stm32-h405",
                part="stm32f405rg",
                kind=bench_pb2.Board.KIND_VIRTUAL,
                state=bench_pb2.Board.STATE_ACTIVE,
                health="ok",
                console_bytes=len(TRANSCRIPT),
            )
            for n in (1, 2)
        ]
        self.board_version = 1
        self.deployments_asked: list[deployment_pb2.CreateDeploymentRequest] = []
        self.deployments: dict[str, deployment_pb2.Deployment] = {}
        self.deployment_events: dict[str, list[event_pb2.Event]] = {}
        self.deployments_cancelled: list[str] = []
        self._server: grpc.aio.Server | None = None

    def add_session(self, prompt: str = "Blink the LED at 2 Hz.") -> session_pb2.Session:
        """A finished session with its events."""
        events = passed_events(self.outcome)
        name = events[0].session
        session = session_pb2.Session(
            name=name,
            prompt=prompt,
            state=verdict_pb2.STATE_DONE,
            outcome=self.outcome,
            evidence=verdict_pb2.EVIDENCE_VIRTUAL,
            message="every check passed on vf405-01",
            seed=7,
            board=BOARD,
            last_sequence=len(events),
            scenario_results=[
                e.scenario_finished for e in events if e.WhichOneof("fact") == "scenario_finished"
            ],
        )
        session.create_time.FromSeconds(1_800_000_000)
        for stage in (1, 2, 3, 5):
            record = session.stages.add(
                stage=stage, state=verdict_pb2.STATE_DONE, outcome=verdict_pb2.OUTCOME_PASSED
            )
            record.duration.FromMilliseconds(120)
        self.sessions[name] = session
        self.events[name] = events
        return session

    def add_asking(self, *questions: question_pb2.Question) -> session_pb2.Session:
        """A session that waits for answers, and passes with them."""
        session = self.add_session("Blink the LED.")
        waiting, asked = verdict_pb2.STATE_WAITING, question_pb2.QuestionsAsked(round=1)
        asked.questions.extend(questions)
        message = f"asks: {questions[0].text}"
        self.events[session.name] = numbered(
            [
                *self.events[session.name][:2],
                event_pb2.Event(
                    stage=verdict_pb2.STAGE_DESIGN,
                    stage_changed=event_pb2.StageChanged(
                        stage=verdict_pb2.STAGE_DESIGN, state=waiting, message=message
                    ),
                ),
                event_pb2.Event(stage=verdict_pb2.STAGE_DESIGN, questions_asked=asked),
                event_pb2.Event(
                    session_changed=event_pb2.SessionChanged(state=waiting, message=message)
                ),
            ]
        )
        session.state, session.outcome = waiting, verdict_pb2.OUTCOME_UNSPECIFIED
        session.evidence, session.message = verdict_pb2.EVIDENCE_UNSPECIFIED, message
        session.last_sequence = len(self.events[session.name])
        del session.scenario_results[:]
        session.question_rounds.add(round=1, questions=questions)
        return session

    def take_answers(self, request: session_pb2.AnswerQuestionsRequest) -> session_pb2.Session:
        """Answer the session that asks; it passes at once."""
        session = self.sessions[request.name]
        self.answered.append(request)
        answered = question_pb2.QuestionsAnswered(
            round=1, answers=request.answers, answered_by="local:ana"
        )
        running = event_pb2.SessionChanged(state=verdict_pb2.STATE_RUNNING)
        asked = self.events[session.name]
        passed = self.add_session(session.prompt)
        self.events[session.name] = numbered(
            [
                *asked,
                event_pb2.Event(stage=verdict_pb2.STAGE_DESIGN, questions_answered=answered),
                event_pb2.Event(session_changed=running),
                *self.events[session.name][1:],
            ]
        )
        passed.last_sequence = len(self.events[session.name])
        passed.question_rounds.extend(session.question_rounds)
        passed.question_rounds[0].answers.extend(request.answers)
        self.announce()
        return passed

    def tell_deployment(self, name: str, **facts: object) -> None:
        """Append an event to a deployment; the fact is named by its field."""
        events = self.deployment_events[name]
        events.append(event_pb2.Event(sequence=len(events) + 1, deployment=name, **facts))
        deployment = self.deployments[name]
        deployment.last_sequence = len(events)
        moved = facts.get("deployment_changed")
        if isinstance(moved, event_pb2.DeploymentChanged):
            deployment.state, deployment.outcome = moved.state, moved.outcome
        self.announce()

    async def serve(self, target: str) -> None:
        """Listen until ``stop``."""
        server = grpc.aio.server()
        session_pb2_grpc.add_SessionServiceServicer_to_server(_Sessions(self), server)
        bench_pb2_grpc.add_BenchServiceServicer_to_server(_Bench(self), server)
        console_pb2_grpc.add_ConsoleServiceServicer_to_server(_Consoles(self), server)
        artifact_pb2_grpc.add_ArtifactServiceServicer_to_server(_Artifacts(self), server)
        design_pb2_grpc.add_DesignServiceServicer_to_server(_Designs(self), server)
        build_service_pb2_grpc.add_BuildServiceServicer_to_server(_Builds(self), server)
        deployment_pb2_grpc.add_DeploymentServiceServicer_to_server(_Deployments(self), server)
        server_pb2_grpc.add_ServerServiceServicer_to_server(_Server(self), server)
        live_simulation_pb2_grpc.add_LiveSimulationServiceServicer_to_server(self.lives, server)
        stack_pb2_grpc.add_StackServiceServicer_to_server(self.stacks, server)
        server.add_insecure_port(target)
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """End at once; calls in progress break."""
        if self._server is not None:
            await self._server.stop(None)
            self._server = None

    def announce(self) -> None:
        """Wake the watchers."""
        self.changed.set()
        self.changed = asyncio.Event()
        self.watched = asyncio.Event()


class _Sessions(session_pb2_grpc.SessionServiceServicer):
    def __init__(self, plane: FakeControlPlane) -> None:
        self._plane = plane

    async def CreateSession(self, request, context):
        self._plane.created.append(request)
        if request.prompt.startswith("Send e-mail"):
            await refuse(context, InvalidRequestError("PROMPT_REFUSED", "mail is not a thing"))
        asks = self._plane.asks
        session = self._plane.add_asking(*asks) if asks else self._plane.add_session(request.prompt)
        return session_pb2.CreateSessionResponse(session=session)

    async def GetSession(self, request, context):
        return session_pb2.GetSessionResponse(session=await self._find(request.name, context))

    async def ListSessions(self, request, context):
        return session_pb2.ListSessionsResponse(sessions=list(self._plane.sessions.values()))

    async def CancelSession(self, request, context):
        session = await self._find(request.name, context)
        self._plane.cancelled.append(session.name)
        session.state = verdict_pb2.STATE_CANCELLED
        return session_pb2.CancelSessionResponse(session=session)

    async def AnswerQuestions(self, request, context):
        refused, self._plane.answers_refused = self._plane.answers_refused, None
        if refused is not None:
            await refuse(context, refused)
        session = self._plane.take_answers(request)
        return session_pb2.AnswerQuestionsResponse(session=session)

    async def GetSessionDesign(self, request, context):
        await self._find(request.name, context)
        return session_pb2.GetSessionDesignResponse(
            design=canned_design(),
            sources=[
                build_pb2.SourceFile(path="temperature_relay.ino", content="void setup() {}\n")
            ],
        )

    async def WatchSession(
        self, request, context
    ) -> AsyncIterator[session_pb2.WatchSessionResponse]:
        session = await self._find(request.name, context)
        plane = self._plane
        plane.watch_starts.append(request.from_sequence)
        plane.watched.set()
        for event in plane.events[session.name]:
            if event.sequence < request.from_sequence:
                continue
            while plane.hold_at is not None and event.sequence >= plane.hold_at:
                await plane.changed.wait()
            if plane.break_after is not None and event.sequence > plane.break_after:
                plane.break_after = None
                await context.abort(grpc.StatusCode.UNAVAILABLE, "going away")
            yield session_pb2.WatchSessionResponse(events=[event], head_sequence=event.sequence)

    async def WatchSessions(
        self, request, context
    ) -> AsyncIterator[session_pb2.WatchSessionsResponse]:
        self._plane.list_watches += 1
        while True:
            waiter = self._plane.changed
            newest = list(self._plane.sessions.values())[::-1]
            yield session_pb2.WatchSessionsResponse(sessions=newest)
            await waiter.wait()

    async def _find(self, name, context):
        for full, session in self._plane.sessions.items():
            if full.startswith(name):
                return session
        await refuse(context, NotFoundError("SESSION_NOT_FOUND", f"no session {name}"))
        raise AssertionError


class _Bench(FakeCare, bench_pb2_grpc.BenchServiceServicer):
    def __init__(self, plane: FakeControlPlane) -> None:
        self._plane = plane

    async def ListBoards(self, request, context):
        return bench_pb2.ListBoardsResponse(boards=self._plane.boards)

    async def GetBoard(self, request, context):
        for board in self._plane.boards:
            if board.name.endswith(request.name):
                return bench_pb2.GetBoardResponse(board=board)
        await refuse(context, NotFoundError("BOARD_NOT_FOUND", f"no board {request.name}"))
        raise AssertionError

    async def WatchBoards(self, request, context) -> AsyncIterator[bench_pb2.WatchBoardsResponse]:
        while True:
            plane = self._plane
            waiter = plane.changed
            yield bench_pb2.WatchBoardsResponse(
                boards=plane.boards,
                version=plane.board_version,
                agents=[bench_pb2.Agent(name="agents/bench", online=True)],
            )
            await waiter.wait()

    async def AcquireLease(self, request, context):
        lease = bench_pb2.Lease(name="leases/l1", board=BOARD, fencing_token=1)
        return bench_pb2.AcquireLeaseResponse(lease=lease, board=self._plane.boards[0])

    async def ListLeases(self, request, context):
        lease = bench_pb2.Lease(name="leases/l1", board=BOARD, holder="local:root")
        return bench_pb2.ListLeasesResponse(leases=[lease])

    async def ReleaseLease(self, request, context):
        return bench_pb2.ReleaseLeaseResponse()


class _Consoles(console_pb2_grpc.ConsoleServiceServicer):
    def __init__(self, plane: FakeControlPlane) -> None:
        self._plane = plane

    async def ReadConsole(self, request, context) -> AsyncIterator[console_pb2.ReadConsoleResponse]:
        end = request.end or len(TRANSCRIPT)
        data = TRANSCRIPT[request.offset : end]
        chunk = console_pb2.ConsoleChunk(offset=request.offset, data=data, epoch=1)
        yield console_pb2.ReadConsoleResponse(chunks=[chunk], head_offset=len(TRANSCRIPT))
        if request.follow:
            sent = 0
            while True:
                for data in self._plane.sent[sent:]:
                    sent += 1
                    offset = len(TRANSCRIPT) + sum(map(len, self._plane.sent[: sent - 1]))
                    chunk = console_pb2.ConsoleChunk(offset=offset, data=data, epoch=1)
                    yield console_pb2.ReadConsoleResponse(chunks=[chunk])
                await self._plane.changed.wait()

    async def SendConsole(self, request, context):
        """The board of the fake says back what was typed."""
        if self._plane.busy:
            await refuse(context, NotReadyError("BOARD_BUSY", "1 board matches and is leased"))
        self._plane.sent.append(request.data)
        self._plane.announce()
        return console_pb2.SendConsoleResponse()


class _Artifacts(artifact_pb2_grpc.ArtifactServiceServicer):
    def __init__(self, plane: FakeControlPlane) -> None:
        self._plane = plane

    async def WriteArtifact(self, request_iterator, context):
        held, digest = bytearray(), ""
        async for message in request_iterator:
            digest = message.sha256 or digest
            held += message.data
        if hashlib.sha256(held).hexdigest() != digest:
            await refuse(context, InvalidRequestError("DIGEST_MISMATCH", "not the digest"))
        self._plane.uploads[digest] = bytes(held)
        artifact = artifact_pb2.Artifact(sha256=digest, size_bytes=len(held))
        return artifact_pb2.WriteArtifactResponse(artifact=artifact)

    async def ReadArtifact(
        self, request, context
    ) -> AsyncIterator[artifact_pb2.ReadArtifactResponse]:
        held = self._plane.uploads.get(request.sha256)
        if held is None:
            await refuse(context, NotFoundError("ARTIFACT_NOT_FOUND", "no such bytes"))
            raise AssertionError
        yield artifact_pb2.ReadArtifactResponse(data=held)


class _Designs(design_pb2_grpc.DesignServiceServicer):
    def __init__(self, plane: FakeControlPlane) -> None:
        self._plane = plane

    async def PreviewDesign(self, request, context):
        if "mail" in request.prompt:
            finding = verdict_pb2.Finding(
                code="NOT_UNDERSTOOD",
                subject="e-mail me",
                message="nothing here can send mail",
                fix="leave it out",
                severity=verdict_pb2.Finding.SEVERITY_ERROR,
            )
            return design_pb2.PreviewDesignResponse(
                outcome=verdict_pb2.OUTCOME_REFUSED, findings=[finding]
            )
        return design_pb2.PreviewDesignResponse(
            outcome=verdict_pb2.OUTCOME_PASSED, design=canned_design()
        )

    async def DrawDesign(self, request, context):
        return design_pb2.DrawDesignResponse(content="PB0 -- relay\n", media_type="text/plain")


class _Builds(build_service_pb2_grpc.BuildServiceServicer):
    def __init__(self, plane: FakeControlPlane) -> None:
        self._plane = plane

    async def GetBuild(self, request, context):
        build = build_pb2.Build(
            session=request.session,
            outcome=verdict_pb2.OUTCOME_PASSED,
            build_id="0123456789ab",
            toolchain="arm-none-eabi-g++ 12.2",
            flash_used_bytes=9_000,
            flash_limit_bytes=1_048_576,
        )
        return build_pb2.GetBuildResponse(build=build)


class _Deployments(deployment_pb2_grpc.DeploymentServiceServicer):
    def __init__(self, plane: FakeControlPlane) -> None:
        self._plane = plane

    async def CreateDeployment(self, request, context):
        self._plane.deployments_asked.append(request)
        if any(image.part == "z80" for image in request.images):
            await refuse(context, InvalidRequestError("IMAGE_INVALID", "nothing here is a z80"))
        name = f"deployments/01d{len(self._plane.deployments_asked)}"
        self._plane.deployments[name] = deployment_pb2.Deployment(
            name=name, state=verdict_pb2.STATE_PENDING
        )
        self._plane.deployment_events[name] = []
        return deployment_pb2.CreateDeploymentResponse(deployment=self._plane.deployments[name])

    async def GetDeployment(self, request, context):
        return deployment_pb2.GetDeploymentResponse(
            deployment=self._plane.deployments[request.name]
        )

    async def ListDeployments(self, request, context):
        newest = list(self._plane.deployments.values())[::-1]
        return deployment_pb2.ListDeploymentsResponse(deployments=newest)

    async def WatchDeployment(self, request, context):
        position = max(1, request.from_sequence)
        while True:
            events = self._plane.deployment_events[request.name][position - 1 :]
            if events:
                position += len(events)
                yield deployment_pb2.WatchDeploymentResponse(
                    events=events, head_sequence=position - 1
                )
            elif self._plane.deployments[request.name].state == verdict_pb2.STATE_DONE:
                return
            else:
                await self._plane.changed.wait()

    async def CancelDeployment(self, request, context):
        self._plane.deployments_cancelled.append(request.name)
        return deployment_pb2.CancelDeploymentResponse(
            deployment=self._plane.deployments[request.name]
        )

    async def GetSessionDeployment(self, request, context):
        deployment = deployment_pb2.SessionDeployment(
            session=request.session,
            board=BOARD,
            outcome=verdict_pb2.OUTCOME_PASSED,
            flashes=[deployment_flash("c1", verdict_pb2.OUTCOME_PASSED)],
            left_image="release",
        )
        return deployment_pb2.GetSessionDeploymentResponse(deployment=deployment)


class _Server(server_pb2_grpc.ServerServiceServicer):
    def __init__(self, plane: FakeControlPlane) -> None:
        self._plane = plane

    async def GetServer(self, request, context):
        checks = [server_pb2.Check(check_name="qemu", ok=True, detail="7.2")]
        return server_pb2.GetServerResponse(
            version="0.1.0",
            principal="local:root",
            checks=checks if request.run_checks else [],
            designers=self._plane.designers,
        )


def canned_design() -> design_pb2.Design:
    """A small design."""
    return design_pb2.Design(
        design_hash="ab" * 32,
        title="Temperature relay",
        designer="offline",
        board_model="olimex-stm32-h405",
        board_reason="the only board model that a virtual bench has",
        part="stm32f405rg",
        pins=[
            design_pb2.PinAssignment(
                pin="PB0",
                signal="relay",
                function="gpio_out",
                active="high",
                pull="none",
                reason="free output",
            )
        ],
        behaviours=[
            design_pb2.Behaviour(
                behaviour_id="threshold_1", kind="threshold", text="Relay on above 30 C."
            )
        ],
        understood=[
            design_pb2.UnderstoodSpan(start=0, end=5, text="Blink", meaning="blink the LED")
        ],
        scenarios=[
            design_pb2.Scenario(
                scenario_id="main", title="The whole device", yaml="scenario: 1\nid: main\n"
            )
        ],
        json='{"design": 1}',
    )
