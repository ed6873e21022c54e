"""An STM32F4 on a virtual board: its debug core behind a probe on a TCP port."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from benchagent.virtual.control import ControlError
from benchagent.virtual.silicon import BootMode, Socket
from benchagent.virtual.stm32 import part as f4
from benchagent.virtual.stm32.bus import MemoryBus
from benchagent.virtual.stm32.debug_core import DebugCore
from benchagent.virtual.stm32.executor import Executor
from benchagent.virtual.stm32.flash_controller import FlashController
from benchagent.virtual.stm32.part import Stm32Part
from benchagent.virtual.stm32.probe_server import ProbeServer
from benchagent.virtual.store import BoardDirectoryError, probe_uid

_STOP_POLL_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Stm32Options:
    """What a test may ask of the chip; the defaults are those of the part."""

    part: Stm32Part
    probe_port: int = 0
    """0 = the port of the last run if it is free, else any."""
    device_id: int | None = None
    optcr: int = f4.OPTCR_RESET


class Stm32Chip:
    """The silicon of a virtual STM32F4 board. Raises BoardDirectoryError or MissingExtraError."""

    rfc2217 = ""

    def __init__(self, socket: Socket, options: Stm32Options) -> None:
        self._socket = socket
        self._options = options
        part = options.part
        controller = FlashController(socket.array, socket.save)
        controller.optcr = options.optcr
        bus = MemoryBus(socket.array, controller, part=part, board_name=socket.name)
        self._core = DebugCore(
            bus=bus,
            executor=Executor(bus),
            run_side=socket.run_side,
            wear=socket.array.wear,
            device_id=part.device_id if options.device_id is None else options.device_id,
        )
        self.identity = probe_uid(socket.name)
        self._gone: list[ProbeServer] = []
        self._server = self._listen()

    @property
    def probe(self) -> str:
        """How pyOCD finds the probe."""
        return f"remote:127.0.0.1:{self._server.port}"

    @property
    def wants_firmware(self) -> bool:
        """Whether neither a debugger nor the reset line holds the core."""
        return not self._core.is_halted

    def bootable(self) -> bool:
        """Whether the vectors in flash lead anywhere."""
        return self._options.part.bootable(self._socket.array.bytes)

    def serve(self) -> None:
        """Begin to answer debuggers."""
        threading.Thread(
            target=self._server.serve_forever, args=(_STOP_POLL_S,), name="probe", daemon=True
        ).start()

    def typed(self, data: bytes) -> bytes:
        """The console port is nothing but the console."""
        return data

    def power_on(self) -> None:
        """Power comes: boot what is in flash."""
        self._server.powered = True
        self._core.forget()
        self._socket.run_side.boot()

    def power_off(self) -> None:
        """Power goes: nobody is on the wire any more."""
        self._server.powered = False

    def reset(self, mode: BootMode) -> None:
        """The reset button."""
        if mode is not BootMode.APP:
            raise ControlError("the boot pin of a virtual STM32 board cannot be pulled")
        self._core.reset()

    def blank(self) -> None:
        """A core without vectors locks up in silence."""

    def plug(self) -> None:
        """The probe comes back with another TCP port."""
        self._server = self._server_on(0)
        self.serve()

    def unplug(self) -> None:
        """The probe is gone: who still asks is told so.

        Its server stays, because pyOCD spins for ever on a connection that was closed.
        """
        self._server.gone = True
        self._gone.append(self._server)

    def close(self) -> None:
        """End the probe."""
        for server in {*self._gone, self._server}:
            server.shutdown()
            server.server_close()

    def _listen(self) -> ProbeServer:
        socket, chosen = self._socket, self._options.probe_port
        wanted = chosen or socket.store.last_port()
        for port in (wanted, 0) if wanted and not chosen else (wanted,):
            try:
                server = self._server_on(port)
            except OSError as error:
                if port == 0 or chosen:
                    raise BoardDirectoryError(f"port {port}: {error.strerror}") from error
            else:
                socket.store.save_port(server.port)
                return server
        raise BoardDirectoryError("no free port for the probe")

    def _server_on(self, port: int) -> ProbeServer:
        socket = self._socket
        return ProbeServer(
            port=port,
            core=self._core,
            core_lock=socket.lock,
            uid=self.identity,
            product=f"virtual {socket.model.name} {socket.name}",
            faults=socket.faults,
        )
