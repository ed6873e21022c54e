"""The power switch of a virtual board: its control socket."""

import asyncio
from dataclasses import dataclass

from benchagent import control_socket
from benchagent.power.protocol import PowerError, PowerState


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSwitch:
    """Asks the board itself; it is powered on again at once when it is cycled."""

    path: str

    @property
    def words(self) -> str:
        """What it is, for people."""
        return "the virtual board's own switch"

    async def switch(self, state: PowerState) -> None:
        """Do it. Raises PowerError."""
        try:
            order = {"op": "power", "state": str(state)}
            await asyncio.to_thread(control_socket.ask, self.path, order)
        except control_socket.ControlError as error:
            raise PowerError(str(error)) from error
