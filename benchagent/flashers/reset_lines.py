"""Restarts a board through the reset lines of its serial port.

A bridge drives EN and the boot strap through two transistors, so that only unequal lines do
something. DTR and RTS, 1 = asserted: 0 1 holds EN low (reset), 1 0 holds the strap low, 0 0 and
1 1 leave both alone (esp-dev-kits, ESP8684-DevKitM-1 schematics V1.1, "Auto program"; that table
gives levels, which are inverted). The chip's own USB-Serial-JTAG reads the same lines as
requests: RTS resets the core, DTR set before it makes that reset a boot into download mode.
Orders and times are those of esptool 5.6.0 (esp_pylib/serial_reset.py). Not tried on hardware.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from benchagent import control_socket
from benchagent.flashers.protocol import BeforeReset, FlasherError, ProbeRef, Reason
from benchagent.ports import PortError, set_lines


@dataclass(frozen=True, slots=True)
class Step:
    """Both lines, and for how long they stay so at least."""

    dtr: bool
    rts: bool
    hold_s: float


_IDLE = Step(dtr=False, rts=False, hold_s=0.0)

BRIDGE_HOLD = (Step(dtr=False, rts=True, hold_s=0.1),)
"""The chip is held in reset."""
BRIDGE_TO_APP = (_IDLE,)
BRIDGE_TO_BOOTLOADER = (Step(dtr=True, rts=False, hold_s=0.05), _IDLE)

USB_HOLD = (
    Step(dtr=False, rts=False, hold_s=0.1),
    Step(dtr=True, rts=False, hold_s=0.1),
    Step(dtr=True, rts=True, hold_s=0.0),
    Step(dtr=False, rts=True, hold_s=0.1),
    _IDLE,
)
"""The chip is in its bootloader, which says nothing."""
USB_TO_APP = (
    Step(dtr=False, rts=True, hold_s=0.2),
    Step(dtr=False, rts=False, hold_s=0.2),
)


async def restart(probe: ProbeRef, *, before_reset: BeforeReset | None = None) -> None:
    """Start the firmware; `before_reset` is awaited while the board is silent.

    Raises FlasherError NO_RESET or PROBE_LOST.
    """
    await _silence(probe)
    try:
        if before_reset is not None:
            await before_reset()
    finally:
        if probe.control:
            await _ask(probe.control, "app")
        else:
            await _drive(probe.port, USB_TO_APP if probe.native_usb else BRIDGE_TO_APP)


async def enter_bootloader(probe: ProbeRef) -> None:
    """Start the chip's bootloader. Raises FlasherError NO_RESET or PROBE_LOST."""
    await _silence(probe)
    if not probe.control and not probe.native_usb:
        await _drive(probe.port, BRIDGE_TO_BOOTLOADER)


async def _silence(probe: ProbeRef) -> None:
    """Make the board say nothing: held in reset, or in its bootloader."""
    if probe.control:
        await _ask(probe.control, "download")
    else:
        await _drive(probe.port, USB_HOLD if probe.native_usb else BRIDGE_HOLD)


async def _ask(control: str, mode: str) -> None:
    try:
        await asyncio.to_thread(control_socket.reset, control, mode)
    except control_socket.ControlError as error:
        raise FlasherError(Reason.NO_RESET, str(error)) from error


async def _drive(port: int | None, steps: Sequence[Step]) -> None:
    if port is None:
        raise FlasherError(Reason.NO_RESET, "its serial port is not open, so it cannot be reset")
    for step in steps:
        try:
            set_lines(port, dtr=step.dtr, rts=step.rts)
        except PortError as error:
            raise FlasherError(Reason.NO_RESET, str(error)) from error
        await asyncio.sleep(step.hold_s)
