"""What the modem lines of a serial bridge do to the reset and boot pins of an ESP32. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from benchagent.virtual.silicon import BootMode


@dataclass(frozen=True, slots=True)
class Held:
    """EN went low: the chip stands still."""


@dataclass(frozen=True, slots=True)
class Released:
    """EN went high: the chip starts, in the mode that its boot pin asks for."""

    mode: BootMode


class ResetLines:
    """Two transistors: RTS alone pulls EN low, DTR alone the boot pin; both together do neither.

    A host cannot change both lines at once, so it passes through "both" between holding EN and
    holding the boot pin. The capacitor at EN bridges that on a board: here EN, once low, stays low
    until RTS is released, and the boot pin is read at that moment. (Espressif, ESP32 hardware
    design guidelines, "Automatic download"; that a tool resets through it is tested.)
    """

    def __init__(self) -> None:
        self.dtr = False
        self.rts = False
        self._held = False

    def set(self, *, dtr: bool | None = None, rts: bool | None = None) -> Held | Released | None:
        """Change lines (asserted is True); gives what that does to the chip."""
        self.dtr = self.dtr if dtr is None else dtr
        self.rts = self.rts if rts is None else rts
        if not self._held and self.rts and not self.dtr:
            self._held = True
            return Held()
        if self._held and not self.rts:
            self._held = False
            return Released(BootMode.DOWNLOAD if self.dtr else BootMode.APP)
        return None
