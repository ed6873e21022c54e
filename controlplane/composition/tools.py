"""The compilers and simulators of this machine, and where they work."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchline.errors import InvalidRequestError
from benchline.instance import make_private
from controlplane.config import Config
from controlplane.pipeline.slots import Slots
from controlplane.simulators.ladder import SimulatorLadder, all_simulators
from controlplane.simulators.wokwi import WokwiSettings
from controlplane.toolchains.bare_metal import BareMetalToolchain
from controlplane.toolchains.ladder import ToolchainLadder, vendor_toolchains
from controlplane.toolchains.protocol import Toolchain
from controlplane.toolchains.vendor import VendorToolchain


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Toolchains and simulators with the slots that they share, and a folder for their work."""

    bench_core: Toolchain
    vendors: Sequence[VendorToolchain]
    toolchain: ToolchainLadder
    simulators: SimulatorLadder
    slots: Slots
    work_dir: Path


def find_tools(config: Config) -> Tools:
    """The tools of a configuration; whether they are installed shows when they are used.

    Raises:
        InvalidRequestError: CONFIG_INVALID, the chosen simulator is not known.
    """
    cache = config.instance.cache_dir
    bench_core = BareMetalToolchain(cache / "toolchain")
    vendors = vendor_toolchains(cache / "toolchain" / "vendor", config.arduino_component)
    return Tools(
        bench_core=bench_core,
        vendors=vendors,
        toolchain=ToolchainLadder([bench_core, *vendors]),
        simulators=_simulators(config),
        slots=Slots(compilers=config.compile_slots, simulators=config.simulate_slots),
        work_dir=make_private(cache / "work"),
    )


def _simulators(config: Config) -> SimulatorLadder:
    scratch = config.instance.cache_dir / "simulator"
    wokwi = WokwiSettings(token=config.wokwi_token, server=config.wokwi_server)
    simulators = all_simulators(scratch, espressif_folder=config.espressif_qemu, wokwi=wokwi)
    known = [simulator.key for simulator in simulators]
    if config.simulator not in ("", *known):
        problem = f"simulator must be one of {', '.join(known)}, not {config.simulator!r}"
        raise InvalidRequestError("CONFIG_INVALID", problem, problems=problem)
    return SimulatorLadder(simulators, chosen=config.simulator)
