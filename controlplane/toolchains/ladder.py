"""Which toolchain builds for a board model: the bench core where it has a port, else a vendor's.

To add one, write a module beside this one and enter it in `vendor_toolchains`.
"""

from collections.abc import Iterable
from pathlib import Path

from controlplane.catalog.loader import load_catalogue
from controlplane.childproc.tools import ToolBrokenError, ToolTrouble
from controlplane.toolchains.arduino_cli import ArduinoCli
from controlplane.toolchains.esp_idf import EspIdf
from controlplane.toolchains.platformio import PlatformIo
from controlplane.toolchains.protocol import (
    BuildRequest,
    BuildResult,
    NoToolchainError,
    Toolchain,
)
from controlplane.toolchains.vendor import VendorToolchain


def vendor_toolchains(scratch: Path, component: Path | None = None) -> list[VendorToolchain]:
    """The vendors' toolchains, best first; `component` is arduino-esp32 for ESP-IDF."""
    vendors = (PlatformIo(), ArduinoCli(), EspIdf(component))
    return [VendorToolchain(vendor, scratch) for vendor in vendors]


class ToolchainLadder:
    """Builds with the first toolchain that can be used for the board model."""

    key = "ladder"

    def __init__(self, toolchains: Iterable[Toolchain]) -> None:
        self._toolchains = tuple(toolchains)

    def builds_for(self, board_model: str) -> bool:
        """Whether any toolchain knows the board model; it need not be installed."""
        return any(toolchain.builds_for(board_model) for toolchain in self._toolchains)

    async def fingerprint(self, board_model: str) -> str:
        """That of the toolchain that is chosen; see `Toolchain.fingerprint`.

        Raises:
            NoToolchainError: none that knows the board model is installed.
            ToolBrokenError: the one that belongs here, or the only installed one, is broken.
        """
        _, fingerprint = await self._choose(board_model)
        return fingerprint

    async def build(self, request: BuildRequest, out: Path) -> BuildResult:
        """Build with the toolchain that is chosen; see `Toolchain.build`."""
        toolchain, _ = await self._choose(request.board_model)
        return await toolchain.build(request, out)

    async def _choose(self, board_model: str) -> tuple[Toolchain, str]:
        broken: ToolBrokenError | None = None
        wanted: list[str] = []
        for toolchain in self._toolchains:
            if not toolchain.builds_for(board_model):
                continue
            try:
                return toolchain, await toolchain.fingerprint(board_model)
            except ToolBrokenError as error:
                # The bench core's compiler belongs to this installation; a vendor's tool does not.
                if not isinstance(toolchain, VendorToolchain):
                    raise
                if error.trouble is not ToolTrouble.MISSING:
                    broken = broken or error
                wanted.append(f"{toolchain.key} ({error.fix})")
        if broken is not None:
            raise broken
        board = load_catalogue().boards[board_model]
        part = load_catalogue().part_of(board)
        raise NoToolchainError(
            f"nothing here builds for the {board.name}: the bench core is not made for the "
            f"{part.name}, and no vendor toolchain for it is installed",
            f"Install {', '.join(wanted[:-1])} or {wanted[-1]}." if len(wanted) > 1 else "",
        )
