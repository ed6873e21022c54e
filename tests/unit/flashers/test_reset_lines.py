"""Reset sequences, played to models of the circuits that they are for."""

from __future__ import annotations

import pytest

from benchagent.flashers import reset_lines
from benchagent.flashers.protocol import FlasherError, ProbeRef, Reason
from benchagent.flashers.reset_lines import Step


class BridgeBoard:
    """Two transistors: EN is low while RTS alone is asserted, the strap while DTR alone is.

    The strap is sampled when EN rises; its capacitor keeps EN low a moment longer than the line
    says, so that both lines may change at once.
    """

    def __init__(self) -> None:
        self.in_reset = False
        self.booted: list[str] = []

    def play(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            enable_low = step.rts and not step.dtr
            if self.in_reset and not enable_low:
                strap_low = step.dtr and not step.rts
                self.booted.append("download" if strap_low else "app")
            self.in_reset = enable_low


class UsbBoard:
    """USB-Serial-JTAG: RTS alone, after DTR was set, resets into download mode; without, into the
    app."""

    def __init__(self) -> None:
        self.was_reset = self.wants_download = False
        self.booted: list[str] = []

    def play(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            if step.dtr and not step.rts:
                self.wants_download = True
            resets = step.rts and not step.dtr
            if resets and not self.was_reset:
                self.booted.append("download" if self.wants_download else "app")
                self.wants_download = False
            self.was_reset = resets


def test_a_board_behind_a_bridge_is_held_and_then_started() -> None:
    board = BridgeBoard()
    board.play(reset_lines.BRIDGE_HOLD)
    assert board.in_reset
    assert board.booted == []
    board.play(reset_lines.BRIDGE_TO_APP)
    assert board.booted == ["app"]


def test_a_board_behind_a_bridge_is_brought_into_its_bootloader() -> None:
    board = BridgeBoard()
    board.play(reset_lines.BRIDGE_HOLD)
    board.play(reset_lines.BRIDGE_TO_BOOTLOADER)
    assert board.booted == ["download"]
    assert not board.in_reset


def test_a_board_on_its_own_usb_goes_through_its_bootloader_into_the_app() -> None:
    board = UsbBoard()
    board.play(reset_lines.USB_HOLD)
    assert board.booted == ["download"]
    board.play(reset_lines.USB_TO_APP)
    assert board.booted == ["download", "app"]


@pytest.mark.parametrize(
    "sequence",
    [
        reset_lines.BRIDGE_TO_APP,
        reset_lines.BRIDGE_TO_BOOTLOADER,
        reset_lines.USB_HOLD,
        reset_lines.USB_TO_APP,
    ],
)
def test_every_sequence_leaves_the_lines_alone(sequence: tuple[Step, ...]) -> None:
    assert (sequence[-1].dtr, sequence[-1].rts) == (False, False)


async def test_a_port_that_is_not_open_cannot_reset() -> None:
    with pytest.raises(FlasherError) as failed:
        await reset_lines.restart(ProbeRef(address="/dev/none"))
    assert failed.value.reason is Reason.NO_RESET
