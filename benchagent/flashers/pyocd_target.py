"""A part behind a probe, through pyOCD; imported by the flasher's child process only."""

from __future__ import annotations

import contextlib
import importlib
import json
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

from benchagent.flashers import plan
from benchagent.flashers.child_talk import OperationError, Talk
from benchagent.flashers.protocol import Reason
from benchagent.flashers.stm32_parts import CHIPS, DEVICE_ID_MASK, Part, Sector

READ_CHUNK = 16 * 1024
"""Bytes per block read: small enough that each is progress, even over a slow probe."""
_REMOTE_ANSWER_S = 2.0
_PYOCD_HINT = "the Python package pyocd is needed: pip install 'benchline[agent]'"

_PROBE_KINDS = {
    "StlinkProbe": "ST-Link",
    "CMSISDAPProbe": "CMSIS-DAP",
    "JLinkProbe": "J-Link",
}

# RM0090 section 38.16.4: stop the independent and the window watchdog while the core is halted.
_DBGMCU_APB1_FZ = 0xE004_2008
_FREEZE_WATCHDOGS = 1 << 12 | 1 << 11


class Target:
    """One open pyOCD session on one part."""

    def __init__(
        self,
        *,
        address: str,
        part: Part,
        under_reset: bool,
        frequency_hz: int | None,
        talk: Talk,
    ) -> None:
        self._talk = talk
        self._part = part
        self._address = address
        self._helpers = import_pyocd("pyocd.core.helpers")
        _end_of_stream_is_an_error()
        _register(part)
        options = {
            "target_override": part.name,
            "no_config": True,
            "hide_programming_progress": True,
            "connect_mode": "under-reset" if under_reset else "attach",
            "auto_unlock": False,
            "resume_on_disconnect": True,
            # pyOCD waits 100 ms after a reset before it polls the core's own reset flag; it is
            # that flag, not the wait, which says that the reset is over.
            "reset.post_delay": 0.005,
        }
        if frequency_hz is not None:
            options["frequency"] = frequency_hz
        self._session = self._open(options)
        self._target = self._session.board.target

    def _open(self, options: dict[str, Any]) -> Any:
        try:
            session = self._helpers.ConnectHelper.session_with_chosen_probe(
                unique_id=self._address, blocking=False, return_first=True, options=options
            )
        except (OSError, ValueError) as error:
            raise OperationError(Reason.PROBE_NOT_FOUND, f"{self._address}: {error}") from error
        if session is None or not self._is_the_one(session.probe):
            raise OperationError(Reason.PROBE_NOT_FOUND, f"no probe {self._address} is connected")
        try:
            session.open()
        except BaseException as error:
            # Else a probe that is open and locked would answer nobody, not even the next attempt.
            with contextlib.suppress(Exception):
                session.probe.close()
            if isinstance(error, OSError) and not isinstance(error, ConnectionResetError):
                raise OperationError(Reason.PROBE_NOT_FOUND, f"{self._address}: {error}") from error
            raise
        self._talk.say("open")
        return session

    def _is_the_one(self, probe: Any) -> bool:
        """pyOCD also takes a probe whose serial number merely contains the one asked for."""
        if self._address.startswith("remote:"):
            return True
        return bool(str(probe.unique_id).lower() == self._address.rpartition(":")[2].lower())

    def close(self) -> None:
        """End the session; whatever the probe says to that is of no interest."""
        with contextlib.suppress(Exception):
            self._session.close()

    def identify(self) -> plan.Found:
        """What the board says about itself; the core keeps running."""
        part = self._part
        idcode = self._idcode()
        if idcode & DEVICE_ID_MASK not in CHIPS:
            # Nobody knows what lies at the other addresses there; reading may have effects.
            return plan.Found(
                probe_uid=self._probe_uid(), idcode=idcode, flash_kib=0, device_uid="", options=0
            )
        return plan.Found(
            probe_uid=self._probe_uid(),
            idcode=idcode,
            flash_kib=self._target.read16(part.flash_size_register),
            device_uid=self.read(part.uid_register, 12).hex(),
            options=self._target.read32(part.option_register),
        )

    def _idcode(self) -> int:
        fault = import_pyocd("pyocd.core.exceptions").TransferFaultError
        register = self._part.idcode_register
        try:
            return int(self._target.read32(register))
        except fault as error:
            message = f"the chip has no device id at {register:#010x}: it is no STM32F2 or F4"
            raise OperationError(Reason.TARGET_MISMATCH, message) from error

    def _probe_uid(self) -> str:
        probe = self._session.probe
        if self._address.startswith("remote:"):
            # pyOCD gives the address as the id of a remote probe; the server knows the real one.
            return str(probe._read_property("unique_id"))  # noqa: SLF001 - no public way
        return str(probe.unique_id)

    def read(self, address: int, length: int) -> bytes:
        """Read `length` bytes in small blocks, each of them progress."""
        first = address & ~3
        end = address + length + 3 & ~3
        parts: list[bytes] = []
        for at in range(first, end, READ_CHUNK):
            count = min(READ_CHUNK, end - at) // 4
            words = self._target.read_memory_block32(at, count)
            parts.append(struct.pack(f"<{count}I", *words))
            self._talk.say("alive")
            self._talk.check_cancelled()
        return b"".join(parts)[address - first :][:length]

    def reset(self, *, soft: bool = False) -> None:
        """Restart the firmware: by the reset line, or softly by AIRCR.SYSRESETREQ."""
        if soft:
            kinds = importlib.import_module("pyocd.core.target").Target.ResetType
            self._target.reset(reset_type=kinds.SYSRESETREQ)
        else:
            self._target.reset()

    def halt(self) -> None:
        """Stop the core where it is."""
        self._target.halt()

    def reset_and_halt(self) -> None:
        """Stop at the reset vector: clocks and peripherals as after power-on."""
        self._target.reset_and_halt()

    def stay_halted(self) -> None:
        """Leave the core halted when the session closes."""
        self._session.options.set("resume_on_disconnect", False)

    def erase(self, sector: Sector) -> None:
        """Erase one sector; never the chip."""
        flash = self._flash(sector.address)
        flash.init(flash.Operation.ERASE)
        flash.erase_sector(sector.address)

    def program(self, page: plan.Bytes) -> None:
        """Write one page."""
        flash = self._flash(page.address)
        flash.init(flash.Operation.PROGRAM)
        flash.program_page(page.address, list(page.data))

    def finish_writing(self) -> None:
        """Lock the flash controller again."""
        active = getattr(self._session.context_state, "current_flash_algo", None)
        if active is not None:
            active.cleanup()

    def _flash(self, address: int) -> Any:
        return self._target.memory_map.get_region_for_address(address).flash


def import_all() -> None:
    """Import everything that an operation on a remote probe uses. Raises as `import_pyocd`."""
    for module in (
        "pyocd.core.helpers",
        "pyocd.target",
        "pyocd.core.memory_map",
        "pyocd.target.builtin.target_STM32F412xx",
        "pyocd.coresight.coresight_target",
        "pyocd.utility.sockets",
    ):
        import_pyocd(module)


def import_pyocd(module: str) -> Any:
    """A module of pyOCD. Raises OperationError TOOL_MISSING naming the extra that brings it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise OperationError(Reason.TOOL_MISSING, f"{_PYOCD_HINT} ({error})") from error


def _end_of_stream_is_an_error() -> None:
    """pyOCD's remote probe spins for ever when the server closes the connection; raise instead."""
    client = import_pyocd("pyocd.utility.sockets").ClientSocket
    plain_read: Callable[..., bytes] = client.read

    def read(self: Any, packet_size: int | None = None) -> bytes:
        data = plain_read(self, packet_size)
        if not data:
            raise ConnectionResetError("the probe closed the connection")
        return data

    if not getattr(client, "_ends", False):
        client.read = read
        client._ends = True  # noqa: SLF001 - a mark of ours


def _register(part: Part) -> None:
    """Teach pyOCD a part that it has no definition of.

    The flash algorithm is pyOCD's for the STM32F412, whose flash interface is the same
    (FLASH registers of RM0090 and RM0402); the sector map is the part's own.
    """
    targets = import_pyocd("pyocd.target").TARGET
    memory = import_pyocd("pyocd.core.memory_map")
    algorithm = import_pyocd("pyocd.target.builtin.target_STM32F412xx").FLASH_ALGO
    base = import_pyocd("pyocd.coresight.coresight_target").CoreSightTarget
    regions: list[Any] = []
    for start, length, size in _runs(part):
        region = memory.FlashRegion(
            start=start,
            length=length,
            sector_size=size,
            page_size=plan.PAGE_SIZE,
            is_boot_memory=start == part.flash_address,
            algo=algorithm,
        )
        regions.append(region)
    regions.append(memory.RamRegion(start=part.ram_address, length=part.ram_size))
    memory_map = memory.MemoryMap(*regions)

    def construct(self: Any, session: Any) -> None:
        base.__init__(self, session, memory_map)

    def freeze_watchdogs(self: Any) -> None:
        self.write32(_DBGMCU_APB1_FZ, _FREEZE_WATCHDOGS)

    members = {
        "VENDOR": "STMicroelectronics",
        "__init__": construct,
        "post_connect_hook": freeze_watchdogs,
    }
    targets[part.name] = type(part.name, (base,), members)


def _runs(part: Part) -> Iterator[tuple[int, int, int]]:
    """Runs of equal sectors: start, length, sector size."""
    if not part.sectors:
        return
    start, length, size = part.flash_address, 0, part.sectors[0].size
    for sector in part.sectors:
        if sector.size != size:
            yield start, length, size
            start, length, size = sector.address, 0, sector.size
        length += sector.size
    yield start, length, size


def visible_probes() -> list[dict[str, str]]:
    """The probes on USB that pyOCD can see; never waits for one."""
    helper = import_pyocd("pyocd.core.helpers").ConnectHelper
    found: list[dict[str, str]] = []
    for probe in helper.get_all_connected_probes(blocking=False):
        board = getattr(probe, "associated_board_info", None)
        found.append(
            {
                "uid": str(probe.unique_id)[:128],
                "vendor": str(probe.vendor_name)[:128],
                "product": str(probe.product_name)[:128],
                "board": str(getattr(board, "name", "") or "")[:128],
                "kind": _PROBE_KINDS.get(type(probe).__name__, ""),
            }
        )
    return found


def probe_answers(address: str) -> bool:
    """Whether a remote probe still greets; USB probes are looked up."""
    if not address.startswith("remote:"):
        helper = import_pyocd("pyocd.core.helpers").ConnectHelper
        return any(
            probe.unique_id == address for probe in helper.get_all_connected_probes(blocking=False)
        )
    _, host, port = address.split(":")
    try:
        with socket.create_connection((host, int(port)), timeout=_REMOTE_ANSWER_S) as probe:
            probe.sendall(b'{"id": 0, "request": "hello", "arguments": [1]}\n')
            return bool(json.loads(probe.recv(4096)).get("status") == 0)
    except (OSError, ValueError):
        return False
