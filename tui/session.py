"""What the screens of one console share: connection, store, feeds, drafts."""

from dataclasses import dataclass, field

from tui.client.connection import Connection
from tui.feeds import Feeds
from tui.state.model import Store


@dataclass(slots=True)
class ConsoleSession:
    """One operator at one control plane. ``draft`` is a prompt that was typed and not sent."""

    connection: Connection
    store: Store
    feeds: Feeds
    draft: str = ""
    board_models: tuple[str, ...] = field(default=())
