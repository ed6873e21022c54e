"""A program that owns local clouds as a control plane does, to be killed by a test.

`python cloud_program.py STACKS [DEVICE LIMIT]`: resumes every cloud and prints a line when it has;
with a device, it adds that to the stack `demo` while no file may grow beyond LIMIT bytes, and
prints how that ended.
"""

import asyncio
import resource
import signal
import sys
from pathlib import Path

from benchline.errors import BenchlineError
from controlplane.provisioning.localcloud.clouds import LocalClouds


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def main(stacks: Path, device: str, limit: int) -> None:
    async with LocalClouds(stacks) as clouds:
        cloud = clouds.cloud("demo")
        if device:
            # Without this the signal, and not the failed write, would be what happens.
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            try:
                await cloud.ensure_device(device)
                say("done")
            except BenchlineError as error:
                say(error.reason)
            return
        while True:
            found = await cloud.read_broker()
            if found is not None and found.condition == "ready":
                break
            await asyncio.sleep(0.05)
        say("ready")
        await asyncio.Event().wait()


if __name__ == "__main__":
    words = [*sys.argv[1:], "", "0"]
    asyncio.run(main(Path(words[0]), words[1], int(words[2])))
