"""Cloud.h for Arduino's ESP32 core: the calls of the bench core over Wi-Fi. Pure.

The files are texts of this package, as a library of the project, so that the sketch beside them
stays what it was. Keys and passwords are never among them: a template of the header that holds
them says what belongs there, and the header itself is kept out of version control.
"""

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from controlplane.domain.build import SourceFile
from controlplane.domain.part import BoardModel, FlashTool

FOLDER = "lib/Cloud"
"""PlatformIO builds what lies here as a library of the project."""

SECRETS = "cloud_secrets.h"
TEMPLATE = "cloud_secrets.example.h"
MQTT_LIBRARY = "256dpi/MQTT@^2.5.2"
"""The client that the files are written for, as PlatformIO names it."""

LINK_FLAG = "-Wl,--wrap=_Z4loopv"
"""Puts the library around loop(), so that messages come between two calls of it."""

_INCLUDES = re.compile(r"^[ \t]*#[ \t]*include[ \t]*[<\"]Cloud\.h[>\"]", re.MULTILINE)

_FILL_IN = (
    f"the cloud needs Wi-Fi and an identity: copy {FOLDER}/{TEMPLATE} to {FOLDER}/{SECRETS} and "
    "fill it in; .gitignore keeps it out of version control"
)
_NOT_BUILT = (
    f"{FOLDER} was not built here: it needs Arduino's ESP32 core and the library "
    f"{MQTT_LIBRARY.partition('@')[0]}, which PlatformIO downloads; arduino-cli does not look there"
)
NOTES = (_FILL_IN, _NOT_BUILT)


def wants_cloud(board: BoardModel, sources: Sequence[SourceFile]) -> bool:
    """Whether a project has messages, and its board a network of its own to carry them."""
    # What esptool flashes has Wi-Fi.
    has_network = board.flash_tool is FlashTool.ESPTOOL and board.platformio is not None
    return has_network and any(_INCLUDES.search(source.content) for source in sources)


@cache
def cloud_files() -> dict[str, str]:
    """The texts by their paths in the project."""
    folder = files("controlplane.exporters") / "arduino_cloud"
    names = ("Cloud.h", "Cloud.cpp", TEMPLATE)
    texts = {f"{FOLDER}/{name}": (folder / name).read_text("utf-8") for name in names}
    return texts | {".gitignore": f"{FOLDER}/{SECRETS}\n"}
