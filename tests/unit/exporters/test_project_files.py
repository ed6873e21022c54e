"""The files with which PlatformIO, Arduino and Wokwi open a project."""

import configparser
import re
import tomllib

import yaml

from controlplane.catalog.loader import load_catalogue
from controlplane.domain.build import SourceFile
from controlplane.exporters.project_files import ProjectFiles, project_files

CATALOGUE = load_catalogue()
SOURCES = (
    SourceFile(path="blink.ino", content=""),
    SourceFile(path="drivers/led.cpp", content=""),
    SourceFile(path="drivers/led.h", content=""),
)


def made(board: str) -> ProjectFiles:
    return project_files(CATALOGUE.boards[board], SOURCES, (), ())


def test_every_board_model_has_a_platformio_project() -> None:
    for key, board in CATALOGUE.boards.items():
        ini = configparser.ConfigParser()
        ini.read_string(dict(made(key).files)["platformio.ini"])
        assert board.platformio is not None
        environment = ini[f"env:{board.platformio.board}"]
        assert environment["platform"] == board.platformio.platform
        assert environment["board"] == board.platformio.board
        assert environment["framework"] == "arduino"
        assert environment["monitor_speed"] == str(board.console.baud)


def test_sources_in_folders_are_built_and_nothing_else_that_lies_there() -> None:
    ini = configparser.ConfigParser()
    ini.read_string(dict(made("esp32-c3-devkitm-1").files)["platformio.ini"])
    wanted = ini["env:esp32-c3-devkitm-1"]["build_src_filter"].split()
    assert "+<drivers/*.cpp>" in wanted
    assert "+<*.cpp>" in wanted
    assert not [pattern for pattern in wanted if "**" in pattern]


CLOUDY = (SourceFile(path="cloudy.ino", content="#include <Cloud.h>\nvoid setup() {}\n"),)


def test_a_sketch_with_messages_gets_the_cloud_over_wifi_where_there_is_some() -> None:
    made_here = project_files(CATALOGUE.boards["esp32-devkitc-v4"], CLOUDY, (), ())
    files = dict(made_here.files)
    library = [path for path in files if path.startswith("lib/Cloud/")]

    assert sorted(library) == [
        "lib/Cloud/Cloud.cpp",
        "lib/Cloud/Cloud.h",
        "lib/Cloud/cloud_secrets.example.h",
    ]
    assert files[".gitignore"] == "lib/Cloud/cloud_secrets.h\n"
    ini = configparser.ConfigParser()
    ini.read_string(files["platformio.ini"])
    environment = ini["env:esp32dev"]
    assert environment["lib_deps"].startswith("256dpi/MQTT@")
    assert environment["build_flags"] == "-Wl,--wrap=_Z4loopv"
    assert any("was not built here" in note for note in made_here.notes)


def test_the_template_of_secrets_holds_none() -> None:
    files = dict(project_files(CATALOGUE.boards["esp32-c3-devkitm-1"], CLOUDY, (), ()).files)
    template = files["lib/Cloud/cloud_secrets.example.h"]

    assert set(re.findall(r"^#define \w+ (.*)$", template, re.MULTILINE)) == {'""', "8883"}
    assert re.findall(r'R"PEM\((.*?)\)PEM"', template, re.DOTALL) == ["\n"] * 3


def test_no_network_or_no_messages_no_library() -> None:
    for board, sources in (("nucleo-f446re", CLOUDY), ("esp32-devkitc-v4", SOURCES)):
        files = dict(project_files(CATALOGUE.boards[board], sources, (), ()).files)
        assert not [path for path in files if path.startswith("lib/") or path == ".gitignore"]
        assert "lib_deps" not in files["platformio.ini"]


def test_arduino_knows_the_board() -> None:
    files = dict(made("esp32-s3-devkitc-1").files)
    assert yaml.safe_load(files["sketch.yaml"]) == {"default_fqbn": "esp32:esp32:esp32s3"}


def test_wokwi_runs_the_image_that_was_proved() -> None:
    wokwi = tomllib.loads(dict(made("esp32-c3-devkitm-1").files)["wokwi.toml"])["wokwi"]
    assert wokwi == {
        "version": 1,
        "firmware": "firmware/firmware.bin",
        "elf": "firmware/firmware.elf",
    }


def test_a_board_that_wokwi_does_not_have_gets_no_diagram_and_is_told() -> None:
    files = made("nucleo-f446re")
    assert not [path for path, _ in files.files if "diagram" in path or "wokwi" in path]
    assert "no diagram.json: Wokwi has no Nucleo-F446RE" in files.notes


def test_an_esp_project_tells_why_there_is_no_esp_idf_project() -> None:
    assert any("ESP-IDF" in note for note in made("esp32-devkitc-v4").notes)
    assert not any("ESP-IDF" in note for note in made("nucleo-f446re").notes)
