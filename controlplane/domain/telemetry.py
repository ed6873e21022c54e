"""What devices publish, as the cloud's reader of telemetry received it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryMessage:
    """One message. `number` counts the messages of the stack, `count` those of the device, both
    from 1 since the reader began; `topic` is below the device's prefix."""

    number: int
    count: int
    device: str
    topic: str
    payload: bytes
    receive_time: datetime
