"""Everything that is exported beside a project's own files. Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from benchline.scenario import Scenario, ScenarioError
from controlplane.domain.build import SourceFile
from controlplane.domain.part import ArduinoBoard, BoardModel, FlashTool, PlatformioBoard
from controlplane.exporters.cloud_files import (
    LINK_FLAG,
    MQTT_LIBRARY,
    NOTES,
    cloud_files,
    wants_cloud,
)
from controlplane.exporters.wiring import Thing, ThingKind
from controlplane.exporters.wokwi_diagram import DIAGRAM, diagram
from controlplane.exporters.wokwi_scenario import wokwi_scenario

PLATFORMIO_INI = "platformio.ini"
SKETCH_YAML = "sketch.yaml"
WOKWI_TOML = "wokwi.toml"
FIRMWARE_BIN = "firmware/firmware.bin"
FIRMWARE_ELF = "firmware/firmware.elf"
"""Where an export puts the release image that was built and proved here."""

_UNIT_SUFFIXES = (".c", ".cpp")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectFiles:
    """Texts by relative path, and what an operator should know of them."""

    files: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]

    def to_json(self) -> str:
        """As it is stored: `{"files": {path: text}, "notes": [text]}`."""
        document = {"files": dict(self.files), "notes": list(self.notes)}
        return json.dumps(document, indent=1, sort_keys=True) + "\n"


def project_files(
    board: BoardModel,
    sources: Sequence[SourceFile],
    scenarios: Sequence[Scenario],
    things: Sequence[Thing],
) -> ProjectFiles:
    """The files with which other tools open the project."""
    files: dict[str, str] = {}
    notes: list[str] = []
    if board.platformio is not None:
        ini = platformio_ini(board.platformio, board.console.baud, sources)
        files[PLATFORMIO_INI] = ini
        if wants_cloud(board, sources):
            files[PLATFORMIO_INI] = f"{ini}lib_deps = {MQTT_LIBRARY}\nbuild_flags = {LINK_FLAG}\n"
            files |= cloud_files()
            notes += NOTES
    if board.arduino is not None:
        files[SKETCH_YAML] = sketch_yaml(board.arduino)
        main = sketch_name(sources)
        notes.append(f"arduino-cli wants the folder of {main}.ino to be called {main}")
    if board.flash_tool is FlashTool.ESPTOOL:
        notes.append(
            "no ESP-IDF project: there a sketch needs Arduino as a component, which idf.py "
            "downloads; `platformio.ini` builds the same sketch"
        )
    _add_wokwi(board, scenarios, things, files, notes)
    return ProjectFiles(files=tuple(sorted(files.items())), notes=tuple(notes))


def _add_wokwi(
    board: BoardModel,
    scenarios: Sequence[Scenario],
    things: Sequence[Thing],
    files: dict[str, str],
    notes: list[str],
) -> None:
    if board.wokwi is None:
        notes.append(f"no {DIAGRAM}: Wokwi has no {board.name}")
        return
    files[DIAGRAM] = diagram(board, board.wokwi, things)
    files[WOKWI_TOML] = wokwi_toml()
    notes += [_stand_in(thing) for thing in things if thing.stands_for]
    for scenario in scenarios:
        path = f"wokwi/{scenario.id}.test.yaml"
        try:
            written = wokwi_scenario(scenario, things, board.wokwi)
        except ScenarioError as error:
            notes.append(f"no {path}: {error}")
            continue
        files[path] = written.text
        if written.unmapped:
            count = len(written.unmapped)
            steps = "1 step has" if count == 1 else f"{count} steps have"
            notes.append(f"{path}: {steps} no counterpart: {', '.join(written.unmapped)}")
    notes.append("the Wokwi files were not run against the service")


def _stand_in(thing: Thing) -> str:
    shown = "an LED" if thing.kind is ThingKind.LED else f"a {thing.kind}"
    return f"{DIAGRAM}: {shown} stands in for {thing.signal} ({thing.stands_for})"


def sketch_name(sources: Sequence[SourceFile]) -> str:
    """The name of the sketch: of the first .ino file; "sketch" where there is none."""
    names = sorted(s.path.removesuffix(".ino") for s in sources if s.path.endswith(".ino"))
    return names[0] if names else "sketch"


def platformio_ini(board: PlatformioBoard, baud: int, sources: Sequence[SourceFile]) -> str:
    """A PlatformIO project whose sources lie beside the file."""
    folders = {PurePosixPath(s.path).parent for s in sources if s.path.endswith(_UNIT_SUFFIXES)}
    # PlatformIO makes a .cpp file of the sketch, beside it.
    patterns = {"+<*.c>", "+<*.cpp>", "+<*.ino>"}
    patterns |= {f"+<{f}/*{end}>" for f in folders if f.name for end in _UNIT_SUFFIXES}
    return (
        "[platformio]\n"
        "src_dir = .\n"
        f"default_envs = {board.board}\n"
        "\n"
        f"[env:{board.board}]\n"
        f"platform = {board.platform}\n"
        f"board = {board.board}\n"
        "framework = arduino\n"
        f"monitor_speed = {baud}\n"
        f"build_src_filter = {' '.join(sorted(patterns))}\n"
    )


def sketch_yaml(board: ArduinoBoard) -> str:
    """Arduino's project file: which board `arduino-cli compile` is for."""
    return f"default_fqbn: {board.fqbn}\n"


def wokwi_toml() -> str:
    """Wokwi's project file; it runs the image that was built and proved here."""
    return (
        "[wokwi]\n"
        "version = 1\n"
        "# The image that Benchline built. After a build by PlatformIO it is\n"
        "# .pio/build/<environment>/firmware.bin and .elf.\n"
        f'firmware = "{FIRMWARE_BIN}"\n'
        f'elf = "{FIRMWARE_ELF}"\n'
    )
