"""A control plane that applies the approved plan of a stack, and says what is stored meanwhile.

A program: `python -m tests.process.stacks.control_plane FOLDER MODULE_FILE`.
"""

import asyncio
import sys
from pathlib import Path

from controlplane.domain.provisioning import ResourceProgress
from controlplane.pipeline.stacks import Asker
from tests.process.stacks.rig import ME, open_rig


async def main(folder: Path, module: str) -> None:
    async with open_rig(folder, module) as rig:
        stack = await rig.stacks.apply("home", Asker(principal=ME))
        sequence = stack.last_sequence
        while True:
            for event in await rig.journal.read("stacks/home", sequence, 500):
                sequence = event.sequence + 1
                if isinstance(event.fact, ResourceProgress):
                    line = f"{event.fact.phase} {event.fact.address}\n"
                    sys.stdout.write(line)
                    sys.stdout.flush()
            await rig.journal.wait("stacks/home", sequence - 1)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]).read_text()))
