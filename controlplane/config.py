"""Settings of the control plane: one TOML file, `BENCHLINE_*` variables over it, defaults here."""

import os
import tomllib
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from benchline.errors import InvalidRequestError
from benchline.instance import Instance, current_instance
from controlplane.claude.configuring import read_claude
from controlplane.claude.settings import ClaudeSettings
from controlplane.domain.live_simulation import LiveLimits
from controlplane.ops.settings_table import SettingsTable
from controlplane.provisioning.settings import ProvisioningSettings, read_provisioning


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Settings of one control plane. Sizes are bytes, times are seconds."""

    instance: Instance
    # Compilers and simulators that may run at once; more than the cores only makes each slower.
    compile_slots: int
    simulate_slots: int
    # Live simulations that may run at once beside those, and how long and how loud each may be.
    live: LiveLimits
    # How long a session waits for a board or for an agent that is away before it is BROKEN.
    board_wait_s: float
    # Sessions that may be in work at once; further ones stay PENDING.
    session_slots: int
    # The folder of Espressif's QEMU, where it is not on the PATH and not among ESP-IDF's tools.
    espressif_qemu: Path | None
    # The component arduino-esp32, with which ESP-IDF can build sketches.
    arduino_component: Path | None
    # The only simulator to use, such as "wokwi"; "" lets each board model's ladder decide.
    simulator: str
    # Wokwi's service: without a token it is never asked.
    wokwi_token: str = field(repr=False)
    wokwi_server: str
    # The service that the designer `claude` asks.
    claude: ClaudeSettings
    # Terraform, where it keeps its state, and how long its runs may take.
    provisioning: ProvisioningSettings


_NUMBERS: dict[str, tuple[str, str, str]] = {  # name: (default, least, most)
    "compile_slots": ("2", "1", "64"),
    "simulate_slots": ("2", "1", "64"),
    "board_wait_s": ("120", "1", "86400"),
    "session_slots": ("16", "1", "1024"),
    "live_simulations": ("4", "1", "64"),
    "live_idle_s": ("1800", "1", "86400"),
    "live_time_s": ("28800", "1", "604800"),
    "live_console_bytes": ("33554432", "1024", "67108864"),
}
_FOLDERS = ("espressif_qemu", "arduino_component")
# name: (default, variables of other tools that mean the same)
_WORDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "simulator": ("", ()),
    "wokwi_token": ("", ("WOKWI_CLI_TOKEN",)),
    "wokwi_server": ("wss://wokwi.com/api/ws/beta", ("WOKWI_CLI_SERVER",)),
}


def load_config(environment: dict[str, str] | None = None) -> Config:
    """Read `benchline.toml` of the data directory (or `BENCHLINE_CONFIG`) and the environment.

    Raises:
        InvalidRequestError: CONFIG_INVALID, naming every unknown key and bad value at once.
    """
    variables = dict(os.environ) if environment is None else environment
    instance = current_instance()
    path = Path(variables.get("BENCHLINE_CONFIG") or instance.data_dir / "benchline.toml")
    problems: list[str] = []
    table = _read_table(path, problems)
    top = SettingsTable("", table, variables, problems)
    top.only({*_NUMBERS, *_FOLDERS, *_WORDS, "claude", "provisioning"}, where=f"{path}: ")
    values = {name: float(top.number(name, *limits)) for name, limits in _NUMBERS.items()}
    folders = {name: top.folder(name) for name in _FOLDERS}
    words = {name: _word(name, table, variables, problems) for name in _WORDS}
    claude = read_claude(table.get("claude", {}), variables, path.parent, problems)
    provisioning = read_provisioning(
        table.get("provisioning", {}), variables, path.parent, problems
    )
    if problems:
        raise InvalidRequestError(
            "CONFIG_INVALID", "; ".join(problems), problems="; ".join(problems)
        )
    return Config(
        instance=instance,
        compile_slots=int(values["compile_slots"]),
        simulate_slots=int(values["simulate_slots"]),
        live=LiveLimits(
            simulations=int(values["live_simulations"]),
            idle=timedelta(seconds=values["live_idle_s"]),
            time=timedelta(seconds=values["live_time_s"]),
            console_bytes=int(values["live_console_bytes"]),
        ),
        board_wait_s=values["board_wait_s"],
        session_slots=int(values["session_slots"]),
        espressif_qemu=folders["espressif_qemu"],
        arduino_component=folders["arduino_component"],
        simulator=words["simulator"],
        wokwi_token=words["wokwi_token"],
        wokwi_server=words["wokwi_server"],
        claude=claude,
        provisioning=provisioning,
    )


def _read_table(path: Path, problems: list[str]) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problems.append(f"{path}: {error}")
        return {}


def _word(
    name: str, table: dict[str, object], variables: dict[str, str], problems: list[str]
) -> str:
    default, others = _WORDS[name]
    for variable in (f"BENCHLINE_{name.upper()}", *others):
        if variables.get(variable):
            return variables[variable].strip()
    given = table.get(name, default)
    if not isinstance(given, str):
        problems.append(f"{name} must be a text")  # what was given may be a secret
        return default
    return given.strip()
