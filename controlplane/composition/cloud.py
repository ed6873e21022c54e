"""Device clouds: stacks, and what follows from them."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from controlplane.composition.stores import Stores
from controlplane.config import Config
from controlplane.domain.stack import Target
from controlplane.ops.identity import new_session_id
from controlplane.pipeline.given_clouds import GivenClouds
from controlplane.pipeline.stack_parts import StackParts
from controlplane.pipeline.stacks import Stacks
from controlplane.provisioning.aws_target import AwsTarget
from controlplane.provisioning.credentials import DeviceCredentials
from controlplane.provisioning.host import TerraformHost
from controlplane.provisioning.local_target import LocalTarget
from controlplane.provisioning.localcloud.clouds import LocalClouds
from controlplane.provisioning.localcloud.sender import Sender
from controlplane.provisioning.localcloud.telemetry import Telemetry
from controlplane.provisioning.runs import HostedRuns


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """Stacks, the credentials of their devices, and what devices say and are told."""

    stacks: Stacks
    credentials: DeviceCredentials
    telemetry: Telemetry
    sender: Sender


@asynccontextmanager
async def opened_cloud(config: Config, stores: Stores) -> AsyncIterator[Cloud]:
    """Bring up the local clouds and go on with the stacks where they stood."""
    async with (
        LocalClouds(config.instance.stacks_dir) as clouds,
        Telemetry(clouds) as telemetry,
    ):
        aws = AwsTarget(config.instance.stacks_dir)

        async def sensitive_outputs(stack_id: str, principal: str) -> Mapping[str, str]:
            return await stacks.sensitive_outputs(stack_id, principal)

        credentials = DeviceCredentials(clouds, aws, sensitive_outputs)
        given = GivenClouds(stores.bindings, credentials, telemetry)
        stacks = _stacks(config, stores, clouds, aws, given)
        await stacks.recover()
        await given.resume(await stores.stacks.every())
        yield Cloud(
            stacks=stacks, credentials=credentials, telemetry=telemetry, sender=Sender(clouds)
        )


def _stacks(
    config: Config, stores: Stores, clouds: LocalClouds, aws: AwsTarget, given: GivenClouds
) -> Stacks:
    instance, settings = config.instance, config.provisioning
    host = TerraformHost(
        stacks_dir=instance.stacks_dir,
        cache_dir=instance.cache_dir / "terraform",
        settings=settings,
    )
    return Stacks(
        StackParts(
            journal=stores.journal,
            store=stores.stacks,
            runs=HostedRuns(
                host, {Target.LOCAL: LocalTarget(clouds, instance.run_dir), Target.AWS_IOT: aws}
            ),
            new_id=new_session_id,
            plan_life=timedelta(seconds=settings.plan_expiry_s),
            slots=os.cpu_count() or 1,
            on_given=given.follow,
        )
    )
