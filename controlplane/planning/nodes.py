"""The node of a design: one board of a model, what feeds it and what its firmware is written on."""

from dataclasses import replace

from controlplane.domain.design import DesignComponent
from controlplane.domain.hardware import (
    DesignNode,
    Framework,
    NodeConsole,
    NodePower,
    PowerSource,
)
from controlplane.domain.part import BoardModel, Electrical, Part

NODE_ID = "node"
USB_MV = 5000
USB_BUDGET_MA = 500
"""What a USB 2.0 port gives a device at most (USB 2.0 specification, section 7.2.1)."""

SUMMARY_LENGTH = 400


def single_node(board: BoardModel, part: Part) -> DesignNode:
    """The only node of a design, fed over USB."""
    return DesignNode(
        id=NODE_ID,
        role="the device",
        board_model=board.key,
        part=part.key,
        framework=Framework.BENCH_CORE if part.bench_core else Framework.ARDUINO,
        power=NodePower(source=PowerSource.USB, supply_mv=USB_MV, budget_ma=USB_BUDGET_MA),
        console=NodeConsole(
            uart=board.console.uart,
            tx_pin=board.console.tx,
            rx_pin=board.console.rx,
            baud=board.console.baud,
        ),
        min_flash_kib=0,
        min_ram_kib=0,
        radio=False,
    )


def with_electrical(component: DesignComponent, facts: Electrical) -> DesignComponent:
    """A component with the electrical facts of its kind."""
    return replace(
        component,
        supply_mv=facts.supply_mv,
        logic_mv=facts.logic_mv,
        supply_ma=facts.supply_ma,
        pin_ma=facts.pin_ma,
        series_ohm=facts.series_ohm,
        driver=facts.driver,
    )
