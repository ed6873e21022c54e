"""The last line of a screen: the keys of the place."""

from collections.abc import Iterable

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.widget import Widget
from textual.widgets import Footer
from textual.widgets._footer import FooterKey

_GAPS = 2  # between a key and its word, and after the word
_HELP = ("app.help", "help")


class KeyLine(Footer):
    """As many keys as have room whole, the first ones first; the list of all is always there."""

    _composed_for = 0

    def compose(self) -> ComposeResult:
        """Leave out what would be cut."""
        self._composed_for = self.app.size.width
        yield from fitting(super().compose(), self._composed_for)

    def on_resize(self) -> None:
        """Another width has room for other keys."""
        if self.app.size.width != self._composed_for:
            self.call_after_refresh(self.recompose)


def fitting(keys: Iterable[Widget], width: int) -> list[Widget]:
    """The keys that fit whole into ``width`` columns, in their order."""
    listed = [(one, _columns(one)) for one in keys]
    room = width - sum(columns for one, columns in listed if _is_help(one))
    kept = []
    for one, columns in listed:
        if not _is_help(one):
            room -= columns
        if _is_help(one) or room >= 0:
            kept.append(one)
    return kept


def _columns(key: Widget) -> int:
    if not isinstance(key, FooterKey):
        return 0
    return cell_len(key.key_display) + cell_len(key.description) + _GAPS


def _is_help(key: Widget) -> bool:
    return isinstance(key, FooterKey) and key.action in _HELP
