"""A control plane of which nothing runs but one apply: it says the process, then what began."""

import asyncio
import sys
from pathlib import Path

from controlplane.domain.provisioning import RunEvent, RunStarted
from tests.process.provisioning.rig import SLOW, Rig, has_started


async def tell(event: RunEvent) -> None:
    if isinstance(event, RunStarted):
        sys.stdout.write(f"{event.pid} {event.started_ticks}\n")
    elif has_started("terraform_data.slow")(event):
        sys.stdout.write("started\n")
    sys.stdout.flush()


async def main(folder: Path) -> None:
    rig = Rig(folder, SLOW)
    terraform = await rig.open()
    path, digest = await rig.planned(terraform)
    await terraform.apply(path, digest=digest, on_event=tell)


asyncio.run(main(Path(sys.argv[1])))
