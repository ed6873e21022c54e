"""Switches the power of boards: one small protocol, a driver a kind of switch."""

from benchagent.power.protocol import PowerError, PowerState, PowerSwitch
from benchagent.power.switches import PowerSwitches

__all__ = ["PowerError", "PowerState", "PowerSwitch", "PowerSwitches"]
