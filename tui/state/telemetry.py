"""Telemetry that is followed over several streams: each message once, and what is missing. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tui.state.stack import TelemetryTold


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """Messages of a device that were not seen. ``count`` is 0 when nobody knows how many."""

    device: str
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The newest message of each device that was seen."""

    newest: Mapping[str, TelemetryTold] = field(default_factory=dict)

    def knows(self, told: TelemetryTold) -> bool:
        """Whether a message was seen before: each stream begins with what the server kept."""
        known = self.newest.get(told.device)
        return known is not None and _place(told) <= _place(known)

    def missed_before(self, told: TelemetryTold) -> Missed | None:
        """What is missing between the last message of a device and a newer one, if anything.

        A server that began anew counts from 1 again, and has nothing of what came before.
        """
        known = self.newest.get(told.device)
        if known is None:
            return None
        if told.count <= known.count:
            return Missed(device=told.device)
        between = told.count - known.count - 1
        return Missed(device=told.device, count=between) if between else None

    def after(self, told: TelemetryTold) -> "Heard":
        """With one message more."""
        return replace(self, newest={**self.newest, told.device: told})


def _place(told: TelemetryTold) -> tuple[float, int]:
    return told.receive_time.timestamp(), told.count
