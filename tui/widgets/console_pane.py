"""A console: unbounded input, bounded memory, a fixed paint rate."""

from collections import deque
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from tui.state.console import ConsoleLine, ConsoleText

_RECORD = Style(dim=True)
_GAP = Style(color="yellow", bold=True)


class ConsolePane(ScrollView, can_focus=True):
    """Shows the last lines of one console and follows them until told not to.

    ``feed`` may be called at any rate; painting happens ``PAINT_HZ`` times a second and touches
    only the visible rows. What the device says is plain text, never markup.
    """

    PAINT_HZ: ClassVar[float] = 15.0
    DEFAULT_CSS = "ConsolePane { scrollbar-size-horizontal: 0; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "toggle_follow", "Follow", id="console.follow"),
        Binding("b", "toggle_records", "Records", id="console.records"),
    ]

    following: reactive[bool] = reactive(True, init=False)
    records_shown: reactive[bool] = reactive(True, init=False)

    class Painted(Message):
        """New lines were painted, or the way of showing them changed."""

        def __init__(self, pane: "ConsolePane") -> None:
            super().__init__()
            self.pane = pane

        @property
        def control(self) -> "ConsolePane":
            """The pane."""
            return self.pane

        def can_replace(self, message: Message) -> bool:
            """Only the newest matters."""
            return isinstance(message, ConsolePane.Painted)

    def __init__(self, *, max_lines: int = 20_000, id: str | None = None) -> None:  # noqa: A002  # Textual's word
        super().__init__(id=id)
        self._max_lines = max_lines
        self._text = ConsoleText(max_lines=max_lines)
        self._begun = False
        self._rows: deque[ConsoleLine] = deque(maxlen=max_lines)
        self._queued: deque[ConsoleLine] = deque(maxlen=max_lines)
        self._tail: ConsoleLine | None = None
        self._changed = False
        self._held_lines = 0
        self._widest = 1

    @property
    def line_count(self) -> int:
        """Rows that can be scrolled to."""
        return len(self._rows) + (self._tail is not None)

    @property
    def offset_reached(self) -> int:
        """Position after the last byte that was fed."""
        return self._text.offset

    @property
    def caption(self) -> str:
        """``following  1,204 lines  0 gaps`` or what waits while it holds still."""
        gaps = f"{self._text.gaps} gap{'' if self._text.gaps == 1 else 's'}"
        hidden = "" if self.records_shown else "  records hidden"
        if self.following:
            return f"following  {self._text.total:,} lines  {gaps}{hidden}"
        return f"held, +{self._held_lines} new: f follows{hidden}"

    def clear(self) -> None:
        """Forget everything: another console is shown."""
        self._text = ConsoleText(max_lines=self._max_lines)
        self._begun = False
        self._rows.clear()
        self._queued.clear()
        self._tail = None
        self._widest = 1
        self._held_lines = 0
        self._changed = True

    def feed(self, data: bytes, *, offset: int, gap: str = "") -> None:
        """Take bytes of the console. Cheap: nothing is painted here."""
        if not self._begun:
            self._begun = True
            self._text = ConsoleText(max_lines=self._max_lines, start=offset)
        for line in self._text.feed(data, offset=offset, gap=gap):
            if self.records_shown or not line.record:
                self._queued.append(line)
        self._changed = True

    def on_mount(self) -> None:
        """Start the paint clock."""
        self.set_interval(1 / self.PAINT_HZ, self._paint)

    def on_show(self) -> None:
        """A pane that was hidden could not scroll."""
        self._catch_up()

    def on_resize(self) -> None:
        """The end is elsewhere now."""
        self._catch_up()

    def _catch_up(self) -> None:
        if self.following:
            self.call_after_refresh(self.scroll_end, animate=False, x_axis=False)

    def watch_following(self, following: bool) -> None:
        """Catch up at once when following resumes."""
        self._held_lines = 0
        if following:
            self.scroll_end(animate=False, x_axis=False)
        self.post_message(self.Painted(self))

    def watch_records_shown(self, shown: bool) -> None:
        """Show or hide what the bench core says."""
        self._queued.clear()
        self._rows.clear()
        finished = self._text.lines()
        if self._tail is not None and finished:
            finished = finished[:-1]
        self._rows.extend(line for line in finished if shown or not line.record)
        self._changed = True
        self._paint()

    def action_toggle_follow(self) -> None:
        """Flip between following and holding still."""
        self.following = not self.following

    def action_toggle_records(self) -> None:
        """Flip between showing and hiding records."""
        self.records_shown = not self.records_shown

    def action_scroll_up(self) -> None:
        """Looking back holds the view still."""
        self.following = False
        super().action_scroll_up()

    def action_page_up(self) -> None:
        """Looking back holds the view still."""
        self.following = False
        super().action_page_up()

    def action_scroll_home(self) -> None:
        """Looking back holds the view still."""
        self.following = False
        super().action_scroll_home()

    def action_scroll_end(self) -> None:
        """Going to the end follows again."""
        self.following = True

    def on_mouse_scroll_up(self) -> None:
        """Looking back holds the view still."""
        self.following = False

    def render_line(self, y: int) -> Strip:
        """The strip at row ``y`` of the view (Textual's line API)."""
        left, top = self.scroll_offset
        width, style = self.size.width, self.rich_style
        row = top + y
        line = self._row(row)
        if line is None:
            return Strip.blank(width, style)
        shade = style + (_GAP if line.gap else _RECORD if line.record else Style.null())
        strip = Strip([Segment(line.text, shade)]).crop_extend(left, left + width, style)
        return strip.apply_offsets(left, row)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Give mouse selection the plain text."""
        return selection.extract("\n".join(line.text for line in self._rows)), "\n"

    def visible_text(self) -> str:
        """The text in view, for the clipboard."""
        top = self.scroll_offset.y
        rows = (self._row(row) for row in range(top, top + self.size.height))
        return "\n".join(line.text for line in rows if line is not None)

    def _row(self, row: int) -> ConsoleLine | None:
        if row < len(self._rows):
            return self._rows[row]
        return self._tail if row == len(self._rows) else None

    def _paint(self) -> None:
        if not self._changed:
            return
        self._changed = False
        fresh = list(self._queued)
        self._queued.clear()
        dropped = max(0, len(self._rows) + len(fresh) - self._max_lines)
        self._rows.extend(fresh)
        unfinished = self._text.unfinished
        self._tail = unfinished if unfinished.text else None
        self._widest = max(self._widest, *(len(line.text) for line in fresh), len(unfinished.text))
        self.virtual_size = Size(self._widest, self.line_count)
        if self.following:
            self.scroll_end(animate=False, x_axis=False)
        else:
            self._held_lines += len(fresh)
            if dropped:
                self.scroll_relative(y=-dropped, animate=False)
        self.refresh()
        self.post_message(self.Painted(self))
