"""Use two stages of Benchline alone: build a design that you have, then simulate the image.

    python build_and_simulate.py unix:/path/to/control.sock design.json

A build or a simulation is a session that ends with that stage: it can be watched from any sequence
number, it survives a restart of the server, and a repeated start with the same request_id is the
same one. Needs `pip install benchline` (the contract alone).
"""

import sys
import uuid
from pathlib import Path

import grpc

from benchline.errors import error_from
from benchline.v1 import (
    build_pb2,
    build_service_pb2,
    build_service_pb2_grpc,
    design_pb2,
    design_pb2_grpc,
    session_pb2,
    simulation_pb2,
    simulation_pb2_grpc,
    verdict_pb2,
)


def main(target: str, path: str) -> int:
    """Judge, build and simulate one design; 0 when its scenarios passed."""
    document = Path(path).read_text("utf-8")
    with grpc.insecure_channel(target) as channel:
        try:
            design = parse(channel, document)
            image = build(channel, document)
            return simulate(channel, design, image)
        except grpc.RpcError as call_error:
            error = error_from(call_error)
            print(f"{error.reason}: {error}", file=sys.stderr)
            return 1


def parse(channel: grpc.Channel, document: str) -> design_pb2.Design:
    """The design of the document; every problem and every finding is printed."""
    designs = design_pb2_grpc.DesignServiceStub(channel)
    answer = designs.ParseDesign(design_pb2.ParseDesignRequest(document=document), timeout=10)
    for problem in answer.problems:
        print(problem.path, problem.message)
    for finding in answer.findings:
        print(finding.code, finding.subject, finding.message)
    return answer.design


def build(channel: grpc.Channel, document: str) -> str:
    """The digest of the test image."""
    builds = build_service_pb2_grpc.BuildServiceStub(channel)
    started = builds.StartBuild(
        build_service_pb2.StartBuildRequest(
            request_id=str(uuid.uuid4()), source=session_pb2.Source(design_json=document)
        ),
        timeout=10,
    )
    name = started.session.name
    for message in builds.WatchBuild(build_service_pb2.WatchBuildRequest(session=name)):
        for event in message.events:
            print(event.sequence, event.WhichOneof("fact"))
    made = builds.GetBuild(build_pb2.GetBuildRequest(session=name), timeout=10).build
    print(f"built with {made.toolchain}: {made.flash_used_bytes} bytes of flash")
    return next(a.sha256 for a in made.artifacts if a.filename == "firmware.test.elf")


def simulate(channel: grpc.Channel, design: design_pb2.Design, image: str) -> int:
    """0 when every scenario of the design passed."""
    simulations = simulation_pb2_grpc.SimulationServiceStub(channel)
    started = simulations.StartSimulation(
        simulation_pb2.StartSimulationRequest(
            request_id=str(uuid.uuid4()),
            source=session_pb2.Source(
                image_sha256=image, image_filename="firmware.elf", scenarios=design.scenarios
            ),
            board=design.board_model,
        ),
        timeout=10,
    )
    name = started.session.name
    watched = simulation_pb2.WatchSimulationRequest(session=name)
    for message in simulations.WatchSimulation(watched):
        for event in message.events:
            print(event.sequence, event.WhichOneof("fact"))
    found = simulations.GetSimulation(
        simulation_pb2.GetSimulationRequest(session=name), timeout=10
    ).simulation
    for result in found.results:
        print(result.scenario_id, verdict_pb2.Outcome.Name(result.outcome))
    return 0 if found.outcome == verdict_pb2.OUTCOME_PASSED else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
