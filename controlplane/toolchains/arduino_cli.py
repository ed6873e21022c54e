"""arduino-cli as a builder: `arduino-cli compile` with an installed core, offline."""

import asyncio
import os
import re
from collections.abc import Mapping
from pathlib import Path

from controlplane.childproc.command import Command, Confinement
from controlplane.childproc.tools import Tool, ToolBrokenError, ToolTrouble
from controlplane.domain.part import ArduinoBoard, BoardModel, FlashTool
from controlplane.exporters.project_files import SKETCH_YAML, sketch_yaml
from controlplane.toolchains.esp_layout import arduino_segments
from controlplane.toolchains.protocol import BuildRequest
from controlplane.toolchains.vendor import Found, Made, Place, find_tool, read_made

ARDUINO_CLI = Tool(
    name="arduino-cli",
    package="arduino-cli",
    version_pattern=r"arduino-cli +Version: +([0-9]+\.[0-9]+\.[0-9]+)",
    version_args=("version",),
    fix="see https://arduino.github.io/arduino-cli/latest/installation/",
)
_RAM = re.compile(
    r"Global variables use (\d{1,12}) bytes.{0,120}Maximum is (\d{1,12}) bytes", re.DOTALL
)


class ArduinoCli:
    """Its cores stay where they are and are only read."""

    key = "arduino-cli"
    tool = ARDUINO_CLI

    def builds(self, board: BoardModel) -> bool:
        """ESP boards alone: for the others there is the bench core."""
        return board.arduino is not None and board.flash_tool is FlashTool.ESPTOOL

    async def find(self, board: BoardModel, confinement: Confinement) -> Found:
        """The program, and the installed core of the board."""
        vendor, architecture = _known(board).fqbn.split(":")[:2]
        home = Path(os.environ.get("ARDUINO_DIRECTORIES_DATA") or Path.home() / ".arduino15")
        env = {"ARDUINO_UPDATER_ENABLE_NOTIFICATION": "false", "HOME": "/tmp"}  # noqa: S108 - the child's own
        located, readable = await find_tool(ARDUINO_CLI, confinement, env=env)
        core = home / "packages" / vendor / "hardware" / architecture
        versions = await asyncio.to_thread(_folders, core)
        if not versions:
            missing = Tool(
                name=f"Arduino's core {vendor}:{architecture}",
                package=f"{vendor}:{architecture}",
                version_pattern="",
                fix=f"arduino-cli core install {vendor}:{architecture}",
            )
            raise ToolBrokenError(missing, ToolTrouble.MISSING, "is not installed")
        return Found(
            located=located,
            packages=f"{vendor}:{architecture} {', '.join(versions)}",
            readable=(*readable, home),
            env={**env, "ARDUINO_DIRECTORIES_DATA": str(home)},
        )

    def files(self, request: BuildRequest, board: BoardModel) -> Mapping[str, str]:
        """The sketch and its project file; the folder is called like the sketch."""
        yaml = sketch_yaml(_known(board))
        return {**{s.path: s.content for s in request.sources}, SKETCH_YAML: yaml}

    def command(self, found: Found, board: BoardModel, place: Place, _name: str) -> Command:
        """Compile into the build directory."""
        return Command(
            argv=(
                *(str(found.located.path), "compile", "--no-color", "--warnings", "default"),
                *("--fqbn", _known(board).fqbn, "--build-path", str(place.build)),
                str(place.project),
            ),
            cwd=place.project,
            writable=(place.root,),
            read_only=found.readable,
            env={
                **found.env,
                "HOME": str(place.root),
                "ARDUINO_DIRECTORIES_USER": str(place.root / "user"),
                "ARDUINO_DIRECTORIES_DOWNLOADS": str(place.root / "downloads"),
            },
        )

    def collect(self, board: BoardModel, place: Place, name: str, said: str) -> Made:
        """The boot loader, the partition table and the application."""
        base = place.build / f"{name}.ino"
        app = read_made(base.with_name(f"{base.name}.bin"))
        pieces, room = arduino_segments(
            board.part,
            read_made(base.with_name(f"{base.name}.bootloader.bin")),
            read_made(base.with_name(f"{base.name}.partitions.bin")),
            app,
        )
        found = _RAM.search(said)
        return Made(
            pieces=pieces,
            elf=read_made(base.with_name(f"{base.name}.elf")),
            flash_used=len(app),
            flash_limit=room,
            ram_used=int(found[1]) if found else 0,
            ram_limit=int(found[2]) if found else 0,
        )


def _known(board: BoardModel) -> ArduinoBoard:
    if board.arduino is None:
        raise ValueError(f"Arduino's tools do not know {board.key}")
    return board.arduino


def _folders(core: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in core.iterdir() if entry.is_dir())
    except OSError:
        return []
