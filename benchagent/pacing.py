"""When to send console bytes: at once when idle, joined when busy.

A message costs about the same whatever it holds, so small ones are worth joining while an earlier
one is still unacknowledged; an idle board's line leaves at once.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """The limits. Defaults trade half the CPU of unbatched sending for 1 ms at 1,000 lines/s."""

    gap_s: float = 0.002
    max_bytes: int = 64 * 1024
    max_age_s: float = 0.005

    def due(
        self, *, waiting_bytes: int, unacked_bytes: int, oldest_s: float, last_send_s: float
    ) -> float:
        """Moment from which a message may be sent; `inf` when nothing waits, `-inf` when full.

        Args:
            waiting_bytes: read, not yet sent.
            unacked_bytes: sent, not yet stored by the control plane.
            oldest_s: when the oldest waiting byte came.
            last_send_s: when the last message left.
        """
        if waiting_bytes <= 0:
            return math.inf
        if waiting_bytes >= self.max_bytes:
            return -math.inf
        age = oldest_s + self.max_age_s
        return age if unacked_bytes > 0 else min(age, last_send_s + self.gap_s)
