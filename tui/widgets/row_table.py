"""A table whose rows are opened with enter."""

from rich.text import Text
from textual.binding import Binding
from textual.widgets import DataTable


class RowTable(DataTable[Text]):
    """A DataTable with a row cursor; the footer says what enter does."""

    def __init__(self, enter: str, *, id: str) -> None:  # noqa: A002  # Textual's word
        super().__init__(id=id, cursor_type="row")
        self._bindings.key_to_bindings["enter"] = [
            Binding("enter", "select_cursor", enter, id=f"{id}.open")
        ]
