"""What the screens of one console share: connection, store, feeds, drafts."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from tui.state.model import Store

if TYPE_CHECKING:
    from tui.client.connection import Connection
    from tui.client.watch import Away
    from tui.feeds import Feeds, Spawn


@dataclass(kw_only=True)
class ConsoleSession:
    """One operator at one control plane. ``draft`` is a prompt that was typed and not sent,
    ``flash_paths`` and ``flash_waves`` are what was typed for the last flash.

    The connection is made, and gRPC loaded, at its first use: the first picture does not wait.
    """

    target: str
    store: Store
    spawn: "Spawn"
    away: "Away"
    draft: str = ""
    flash_paths: str = ""
    flash_waves: str = ""

    @cached_property
    def connection(self) -> "Connection":
        """The control plane. A channel belongs to the event loop in which this is first read."""
        from tui.client.connection import Connection

        return Connection(self.target)

    @cached_property
    def feeds(self) -> "Feeds":
        """The streams that fill the store."""
        from tui.feeds import Feeds

        return Feeds(self.connection, self.store, self.spawn, self.away)
