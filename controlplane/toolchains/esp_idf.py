"""ESP-IDF as a builder: `idf.py build` on a project with Arduino as a component, offline.

An Arduino sketch needs the component arduino-esp32, which idf.py would download: here it must be on
disk already (`arduino_component`), together with an environment in which idf.py runs.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from controlplane.childproc.command import Command, Confinement
from controlplane.childproc.tools import Tool, ToolBrokenError, ToolTrouble
from controlplane.domain.part import BoardModel, FlashTool
from controlplane.toolchains.esp_layout import LayoutError, flasher_files
from controlplane.toolchains.protocol import BuildRequest
from controlplane.toolchains.sketch import SketchFile, preprocess
from controlplane.toolchains.vendor import Found, Made, Place, find_tool, read_made

IDF = Tool(
    name="idf.py",
    package="ESP-IDF",
    version_pattern=r"ESP-IDF v([0-9]+\.[0-9]+(?:\.[0-9]+)?)",
    fix="install ESP-IDF and run its export.sh before `benchline up`",
)
_COMPONENT = Tool(
    name="the component arduino-esp32",
    package="arduino-esp32",
    version_pattern="",
    fix="set arduino_component (BENCHLINE_ARDUINO_COMPONENT) to a checkout of arduino-esp32",
)
_PASSED_ON = ("IDF_PATH", "IDF_TOOLS_PATH", "IDF_PYTHON_ENV_PATH", "ESP_IDF_VERSION", "PATH")


class EspIdf:
    """Reads the environment that ESP-IDF's export.sh has set up."""

    key = "esp-idf"
    tool = IDF

    def __init__(self, component: Path | None) -> None:
        self._component = component

    def builds(self, board: BoardModel) -> bool:
        """Every ESP board."""
        return board.flash_tool is FlashTool.ESPTOOL

    async def find(self, _board: BoardModel, confinement: Confinement) -> Found:
        """The program, and Arduino as a component."""
        env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        env["HOME"] = "/tmp"  # noqa: S108 - the child's own
        tools = Path(os.environ.get("IDF_TOOLS_PATH") or Path.home() / ".espressif")
        folders = [tools, *(Path(env[name]) for name in _PASSED_ON[:3] if name in env)]
        readable = tuple(dict.fromkeys(folder for folder in folders if folder.is_dir()))
        located, seen = await find_tool(IDF, confinement, readable=readable, env=env)
        if self._component is None:
            raise ToolBrokenError(_COMPONENT, ToolTrouble.MISSING, "is not here")
        return Found(
            located=located,
            packages=f"arduino-esp32 in {self._component}",
            readable=(*seen, self._component),
            env=env,
        )

    def files(self, request: BuildRequest, board: BoardModel) -> Mapping[str, str]:
        """A project whose only component of its own is the sketch as C++."""
        main = f"{request.name}.ino"
        order = sorted(request.sources, key=lambda s: (s.path != main, s.path))
        unit = preprocess([SketchFile(name=s.path, text=s.content) for s in order])
        others = {f"main/{s.path}": s.content for s in order if not s.path.endswith(".ino")}
        units = [s.path for s in order if s.path.endswith((".c", ".cpp"))]
        arduino = self._component.name if self._component is not None else ""
        listed = " ".join(f'"{path}"' for path in ("sketch.cpp", *units))
        return {
            **others,
            "main/sketch.cpp": unit,
            "main/CMakeLists.txt": (
                f'idf_component_register(SRCS {listed} INCLUDE_DIRS "." REQUIRES {arduino})\n'
            ),
            "CMakeLists.txt": (
                "cmake_minimum_required(VERSION 3.16)\n"
                f'set(EXTRA_COMPONENT_DIRS "{self._component}")\n'
                "include($ENV{IDF_PATH}/tools/cmake/project.cmake)\n"
                "project(sketch)\n"
            ),
            "sdkconfig.defaults": (
                f'CONFIG_IDF_TARGET="{board.part}"\n'
                "CONFIG_AUTOSTART_ARDUINO=y\n"
                "CONFIG_FREERTOS_HZ=1000\n"
                f"CONFIG_ESPTOOLPY_FLASHSIZE_{board.flash_bytes >> 20}MB=y\n"
            ),
        }

    def command(self, found: Found, _board: BoardModel, place: Place, _name: str) -> Command:
        """Build into the build directory, without the component manager, which downloads."""
        return Command(
            argv=(
                *(str(found.located.path), "-C", str(place.project), "-B", str(place.build)),
                "build",
            ),
            cwd=place.project,
            writable=(place.root,),
            read_only=found.readable,
            env={**found.env, "HOME": str(place.root), "IDF_COMPONENT_MANAGER": "0"},
        )

    def collect(self, _board: BoardModel, place: Place, _name: str, _said: str) -> Made:
        """Every file that flasher_args.json names."""
        text = read_made(place.build / "flasher_args.json").decode("utf-8", "replace")
        files = flasher_files(text)
        pieces = {offset: read_made(place.build / path) for offset, path in files.items()}
        app = next((o for o, path in files.items() if path.name == "sketch.bin"), None)
        if app is None:
            raise LayoutError("flasher_args.json does not name the application")
        used = len(pieces[app])
        return Made(
            pieces=pieces,
            elf=read_made(place.build / "sketch.elf"),
            flash_used=used,
            flash_limit=used,
        )
