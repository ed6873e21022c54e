"""Write the table of USB devices in docs/agent.md from the agent's own. Run through `make docs`."""

from pathlib import Path

from benchagent.discovery.table import Row, usb_table

_PAGE = Path(__file__).resolve().parent / "agent.md"
_BEGIN = "<!-- devices: written by docs/generate_devices.py -->\n"
_END = "<!-- /devices -->\n"
_HEAD = """\
| USB id | device | found on | family | sure | tool | read | lines | source |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""


def page_with_devices(page: str) -> str:
    """The page with its table renewed."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    rows = "".join(f"| {' | '.join(_cells(row))} |\n" for row in usb_table().rows)
    return f"{before}{_BEGIN}{_HEAD}{rows}{_END}{after}"


def _cells(row: Row) -> list[str]:
    ids = [f"`{ids.told}`" for ids in row.ids]
    words = [f"product says *{row.product}*"] if row.product else []
    return [
        ", ".join(ids + words),
        row.known_as,
        row.found_on,
        " or ".join(row.families) or "any",
        row.confidence,
        row.flash_tool or f"none: {row.reason}; {row.fix}",
        "at once" if row.opened_at_sight else "when enrolled" if row.usable else "no",
        "clear" if row.clears_lines else "keep",
        row.source,
    ]


if __name__ == "__main__":
    _PAGE.write_text(page_with_devices(_PAGE.read_text(encoding="utf-8")), encoding="utf-8")
