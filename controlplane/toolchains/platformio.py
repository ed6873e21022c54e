"""PlatformIO as a builder: `pio run` on the exported project, offline."""

import asyncio
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from controlplane.childproc.command import Command, Confinement
from controlplane.childproc.tools import Tool, ToolBrokenError, ToolTrouble
from controlplane.domain.part import BoardModel, FlashTool, PlatformioBoard
from controlplane.exporters.project_files import PLATFORMIO_INI, platformio_ini
from controlplane.toolchains.esp_layout import arduino_segments
from controlplane.toolchains.protocol import BuildRequest
from controlplane.toolchains.vendor import Found, Made, Place, find_tool, read_made

PIO = Tool(
    name="pio",
    package="platformio",
    version_pattern=r"PlatformIO Core, version ([0-9]+\.[0-9]+\.[0-9]+)",
    fix="pip install platformio",
)
_MEMORY = re.compile(r"^(RAM|Flash): .{0,80}\(used (\d{1,12}) bytes from (\d{1,12}) bytes\)", re.M)


class PlatformIo:
    """Its packages stay where they are and are only read; its state is the build's own."""

    key = "platformio"
    tool = PIO

    def builds(self, board: BoardModel) -> bool:
        """ESP boards alone: for the others there is the bench core."""
        return board.platformio is not None and board.flash_tool is FlashTool.ESPTOOL

    async def find(self, board: BoardModel, confinement: Confinement) -> Found:
        """The program, and the installed platform of the board."""
        known = _known(board)
        home = Path(os.environ.get("PLATFORMIO_CORE_DIR") or Path.home() / ".platformio")
        env = {"PLATFORMIO_SETTING_ENABLE_TELEMETRY": "No", "HOME": "/tmp"}  # noqa: S108 - the child's own
        located, readable = await find_tool(PIO, confinement, env=env)
        manifest = home / "platforms" / known.platform / "platform.json"
        version = await asyncio.to_thread(_version_in, manifest)
        if version is None:
            missing = Tool(
                name=f"PlatformIO's platform {known.platform}",
                package=known.platform,
                version_pattern="",
                fix=f"pio pkg install --global --platform {known.platform}",
            )
            raise ToolBrokenError(missing, ToolTrouble.MISSING, "is not installed")
        folders = tuple(p for p in (home / "platforms", home / "packages") if p.is_dir())
        return Found(
            located=located,
            packages=f"{known.platform} {version}",
            readable=(*readable, *folders),
            env={
                **env,
                "PLATFORMIO_PLATFORMS_DIR": str(home / "platforms"),
                "PLATFORMIO_PACKAGES_DIR": str(home / "packages"),
            },
        )

    def files(self, request: BuildRequest, board: BoardModel) -> Mapping[str, str]:
        """The exported project."""
        ini = platformio_ini(_known(board), board.console.baud, request.sources)
        return {**{s.path: s.content for s in request.sources}, PLATFORMIO_INI: ini}

    def command(self, found: Found, board: BoardModel, place: Place, _name: str) -> Command:
        """One environment, into the build directory."""
        state = place.root / "state"
        return Command(
            argv=(
                *(str(found.located.path), "run", "--project-dir", str(place.project)),
                *("--environment", _known(board).board),
            ),
            cwd=place.project,
            writable=(place.root,),
            read_only=found.readable,
            env={
                **found.env,
                "HOME": str(state),
                "PLATFORMIO_CORE_DIR": str(state),
                "PLATFORMIO_BUILD_DIR": str(place.build),
                "PLATFORMIO_NO_ANSI": "true",
                "PLATFORMIO_DISABLE_PROGRESSBAR": "true",
            },
        )

    def collect(self, board: BoardModel, place: Place, _name: str, said: str) -> Made:
        """The boot loader, the partition table and the application."""
        made = place.build / _known(board).board
        app = read_made(made / "firmware.bin")
        pieces, room = arduino_segments(
            board.part, read_made(made / "bootloader.bin"), read_made(made / "partitions.bin"), app
        )
        memory = {kind: (int(used), int(limit)) for kind, used, limit in _MEMORY.findall(said)}
        ram_used, ram_limit = memory.get("RAM", (0, 0))
        return Made(
            pieces=pieces,
            elf=read_made(made / "firmware.elf"),
            flash_used=len(app),
            flash_limit=room,
            ram_used=ram_used,
            ram_limit=ram_limit,
        )


def _known(board: BoardModel) -> PlatformioBoard:
    if board.platformio is None:
        raise ValueError(f"PlatformIO does not know {board.key}")
    return board.platformio


def _version_in(manifest: Path) -> str | None:
    try:
        return str(json.loads(manifest.read_text("utf-8"))["version"])[:40]
    except (OSError, ValueError, KeyError, TypeError):
        return None
