"""Which agents are connected now. Lives in memory only: a reconnect rebuilds it."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from controlplane.domain.event import FlashProgress
from controlplane.domain.health import RecoveryStep

ProgressListener = Callable[[FlashProgress], None]
StepListener = Callable[[RecoveryStep], None]


@dataclass(slots=True, eq=False)
class Connection:
    """One control stream of one agent."""

    agent: str
    epoch: int
    superseded: asyncio.Event = field(default_factory=asyncio.Event)
    # Commands that the agent is to stop; small, and dropped with the stream.
    cancels: asyncio.Queue[str] = field(default_factory=lambda: asyncio.Queue(64))


class Registry:
    """The connected agents and who listens to the progress of which command."""

    def __init__(self) -> None:
        self._connections: dict[str, Connection] = {}
        self._listeners: dict[str, ProgressListener] = {}
        self._step_listeners: dict[str, StepListener] = {}

    def connect(self, agent: str, epoch: int) -> Connection:
        """Make a new stream the agent's only one; an older one is told to end."""
        older = self._connections.get(agent)
        if older is not None:
            older.superseded.set()
        connection = self._connections[agent] = Connection(agent, epoch)
        return connection

    def disconnect(self, connection: Connection) -> bool:
        """Forget a stream; false when a newer one had replaced it."""
        if self._connections.get(connection.agent) is not connection:
            return False
        del self._connections[connection.agent]
        return True

    def is_current(self, agent: str, epoch: int) -> bool:
        """Whether a stream of this epoch is the agent's present one."""
        connection = self._connections.get(agent)
        return connection is not None and connection.epoch == epoch

    def is_online(self, agent: str) -> bool:
        """Whether the agent has a stream now."""
        return agent in self._connections

    def cancel(self, agent: str, command_id: str) -> None:
        """Ask the agent to stop a command. No effect while it is away."""
        connection = self._connections.get(agent)
        if connection is not None:
            with contextlib.suppress(asyncio.QueueFull):
                connection.cancels.put_nowait(command_id)

    def listen(self, command_id: str, listener: ProgressListener) -> None:
        """Hear the progress of a command; one listener a command."""
        self._listeners[command_id] = listener

    def listen_to_steps(self, command_id: str, listener: StepListener) -> None:
        """Hear the steps of a recovery; one listener a command."""
        self._step_listeners[command_id] = listener

    def unlisten(self, command_id: str) -> None:
        """Stop hearing it."""
        self._listeners.pop(command_id, None)
        self._step_listeners.pop(command_id, None)

    def report(self, progress: FlashProgress) -> None:
        """Pass progress on to whoever listens."""
        listener = self._listeners.get(progress.command_id)
        if listener is not None:
            listener(progress)

    def report_step(self, command_id: str, step: RecoveryStep) -> None:
        """Pass a step of a recovery on to whoever listens."""
        listener = self._step_listeners.get(command_id)
        if listener is not None:
            listener(step)
