"""What the local target costs: plan, apply, repair and destroy of a broker with two devices.

`python -m tests.bench.bench_cloud [ROUNDS]`. The seconds are those of the control plane's calls,
the real Terraform and the real broker; each round is a new stack.
"""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path

from controlplane.provisioning.binary import find_terraform
from controlplane.provisioning.host import TerraformHost
from controlplane.provisioning.localcloud.cloud import LocalCloud
from controlplane.provisioning.localcloud.mosquitto import find_mosquitto
from controlplane.provisioning.settings import ProvisioningSettings
from tests.bench.row import Row
from tests.process.provisioning.local_rig import Clock, Ran, Stack, mosquitto_pids

DEVICES = ("dev-1", "dev-2")
Samples = dict[str, list[float]]


async def timed(samples: Samples, what: str, work: Awaitable[Ran]) -> Ran:
    """Add the seconds of an operation that must succeed."""
    started = time.perf_counter()
    ran = await work
    samples.setdefault(what, []).append(time.perf_counter() - started)
    if ran.failure is not None:
        raise RuntimeError(f"{what}: {ran.text or ran.failure}")
    return ran


async def life_of_a_stack(folder: Path, samples: Samples) -> None:
    """From nothing to nothing, with a broker killed in between."""
    host = TerraformHost(
        stacks_dir=folder / "stacks", cache_dir=folder / "cache", settings=ProvisioningSettings()
    )
    root = host.workspace("bench").root
    root.mkdir(parents=True, mode=0o700)
    cloud = LocalCloud("bench", root / "cloud")
    stack = Stack(host=host, cloud=cloud, devices=DEVICES, port=None, clock=Clock())
    try:
        planned = await timed(samples, "first", stack.plan())
        await timed(samples, "apply", stack.apply(planned))
        await timed(samples, "plan", stack.plan())
        (pid,) = mosquitto_pids(root)
        os.kill(pid, signal.SIGKILL)
        planned = await timed(samples, "drift", stack.plan())
        if not planned.drift:
            raise RuntimeError("a killed broker was not seen")
        await timed(samples, "repair", stack.apply(planned))
        planned = await stack.plan(destroy=True)
        await timed(samples, "destroy", stack.apply(planned))
    finally:
        await cloud.close()


def measure(rounds: int) -> tuple[list[Row], list[str]]:
    """Rows of the table, and the versions as a note."""
    samples: Samples = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="benchline-bench-") as folder:
            asyncio.run(life_of_a_stack(Path(folder), samples))
    rows = [
        Row(what="first plan of a stack of target local", ours=samples["first"], most_s=1.0),
        Row(what="its apply: broker and two devices", ours=samples["apply"], most_s=3.0),
        Row(what="a plan with nothing to do", ours=samples["plan"], most_s=1.0),
        Row(what="a plan that sees that the broker was killed", ours=samples["drift"], most_s=1.0),
        Row(what="its apply", ours=samples["repair"], most_s=3.0),
        Row(what="the apply that destroys all of it", ours=samples["destroy"], most_s=3.0),
    ]
    terraform = asyncio.run(find_terraform()).identity
    told = subprocess.run([find_mosquitto(), "-h"], capture_output=True, text=True, check=False)
    return rows, [f"With {terraform} and {told.stdout.splitlines()[0]}."]


if __name__ == "__main__":
    found, notes = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
    sys.stdout.write("\n".join([*(row.markdown() for row in found), *notes]) + "\n")
