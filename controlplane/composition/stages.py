"""The stages of a session."""

from datetime import timedelta

from controlplane.composition.parts import Parts
from controlplane.domain.verdict import Stage
from controlplane.pipeline.adequacy import AdequacyMeter, AdequacyParts
from controlplane.pipeline.build_stage import BuildParts, BuildStage
from controlplane.pipeline.cloud_proof import CloudProof
from controlplane.pipeline.deploy_stage import DeployParts, DeployStage
from controlplane.pipeline.design_stage import DesignStage
from controlplane.pipeline.provision_stage import ProvisionStage
from controlplane.pipeline.simulate_stage import SimulateParts, SimulateStage
from controlplane.pipeline.stage import StageWork


def all_stages(parts: Parts) -> dict[Stage, StageWork]:
    """The work of every stage."""
    auto_approve = parts.config.provisioning.auto_approve
    return {
        Stage.DESIGN: _design(parts),
        Stage.BUILD: _build(parts),
        Stage.SIMULATE: _simulate(parts),
        Stage.PROVISION: ProvisionStage(parts.cloud.stacks, auto_approve=auto_approve),
        Stage.DEPLOY: _deploy(parts),
    }


def _design(parts: Parts) -> DesignStage:
    stores, designing = parts.stores, parts.designing
    return DesignStage(designing.designers, stores.artifacts, stores.boards, designing.catalogue)


def _build(parts: Parts) -> BuildStage:
    return BuildStage(
        BuildParts(
            artifacts=parts.stores.artifacts,
            boards=parts.stores.boards,
            catalogue=parts.designing.catalogue,
            store=parts.stores.sessions,
            authors=parts.designing.authors,
            toolchain=parts.tools.toolchain,
            slots=parts.tools.slots,
            work_dir=parts.tools.work_dir,
        )
    )


def _simulate(parts: Parts) -> SimulateStage:
    stores, tools = parts.stores, parts.tools
    return SimulateStage(
        SimulateParts(
            artifacts=stores.artifacts,
            boards=stores.boards,
            catalogue=parts.designing.catalogue,
            console_log=stores.console_log,
            store=stores.sessions,
            ladder=tools.simulators,
            slots=tools.slots,
            secret=stores.secret,
            work_dir=tools.work_dir,
            adequacy=AdequacyMeter(
                AdequacyParts(
                    store=stores.sessions,
                    toolchain=tools.bench_core,
                    slots=tools.slots,
                    work_dir=tools.work_dir,
                )
            ),
        )
    )


def _deploy(parts: Parts) -> DeployStage:
    stores, fleet = parts.stores, parts.fleet
    return DeployStage(
        DeployParts(
            artifacts=stores.artifacts,
            bindings=stores.bindings,
            boards=stores.boards,
            catalogue=parts.designing.catalogue,
            cloud_proof=CloudProof(parts.cloud.telemetry, stores.boards),
            commands=fleet.commands,
            console_log=stores.console_log,
            journal=stores.journal,
            leases=fleet.leases,
            recoveries=fleet.recoveries,
            board_wait=timedelta(seconds=parts.config.board_wait_s),
            secret=stores.secret,
        )
    )
