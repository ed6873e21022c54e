"""What every power switch can do."""

import asyncio
from enum import StrEnum
from typing import Protocol

OFF_S = 2.0
"""How long a board is without power when it is cycled, unless its switch says otherwise: its
capacitors have to run empty. The default of `uhubctl --delay` too."""


class PowerState(StrEnum):
    """What is asked of a switch."""

    ON = "on"
    OFF = "off"
    CYCLE = "cycle"


class PowerError(Exception):
    """The switch did not do it; the message says why and what to do."""


class PowerSwitch(Protocol):
    """The switch of one board."""

    @property
    def words(self) -> str:
        """What it is, for people."""

    async def switch(self, state: PowerState) -> None:
        """Do it, in bounded time. Raises PowerError."""


async def cycle(switch: PowerSwitch, off_s: float) -> None:
    """Off, a moment, on. Once it is off it is switched on again, whatever happens meanwhile.

    Raises PowerError.
    """
    await switch.switch(PowerState.OFF)
    try:
        await asyncio.sleep(off_s)
    finally:
        await asyncio.shield(switch.switch(PowerState.ON))
