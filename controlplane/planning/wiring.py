"""The wiring of a design as SVG, as Mermaid and as text. All text of a design is hostile here."""

import re
from collections.abc import Mapping

from controlplane.domain.design import Design
from controlplane.domain.part import Electrical
from controlplane.planning.layout import Box, Layout, lay_out
from controlplane.planning.nets import BOARD, HOST, Net, NetKind, nets_of, supply_name

_NO_KINDS: Mapping[str, Electrical] = {}
_PLAIN = re.compile(r"[^A-Za-z0-9 .,_:/+%=-]")
_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff"
    r"\ufffe\uffff]"
)
_COLOURS = {"3V3": "#d97706", "5V": "#dc2626", "GND": "#111827"}
_STYLE = (
    "text{font:13px monospace;fill:#111827}.t{font-weight:bold}.s{font-size:11px;fill:#4b5563}"
    "rect{fill:#fff;stroke:#374151;rx:4}.b{fill:#ecfdf5}polyline{fill:none;stroke:#2563eb;"
    "stroke-width:1.5}.e{text-anchor:end}"
)


def wiring_svg(design: Design, kinds: Mapping[str, Electrical] = _NO_KINDS) -> str:
    """A drawing that needs nothing from elsewhere and runs nothing."""
    layout = lay_out(design, kinds)
    size = f'width="{layout.width}" height="{layout.height}"'
    view = f'viewBox="0 0 {layout.width} {layout.height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {view} {size} role="img">',
        f"<title>{_xml(design.title, 120)}</title>",
        f"<style>{_STYLE}</style>",
        *_svg_box(layout.board, "b"),
    ]
    for box in layout.boxes:
        parts += _svg_box(box, "")
    parts += _svg_pins(layout)
    parts += _svg_wires(layout)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _svg_box(box: Box, css: str) -> list[str]:
    lines = [
        f'<rect class="{css}" x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}"/>',
        f'<text class="t" x="{box.x + 10}" y="{box.y + 19}">{_xml(box.title, 24)}</text>',
        f'<text class="s" x="{box.x + 10}" y="{box.y + 36}">{_xml(box.subtitle, 30)}</text>',
    ]
    for row in box.rows:
        text = f"{row.terminal} {row.supply}".strip() if row.supply != row.terminal else "GND"
        colour = _COLOURS.get(row.supply, "#2563eb")
        inner = box.x + box.width - 12 if box.side == "left" else box.x + 12
        anchor = ' class="e"' if box.side == "left" else ""
        lines.append(f'<text{anchor} x="{inner}" y="{row.y + 4}">{_xml(text, 24)}</text>')
        edge = box.x + box.width if box.side == "left" else box.x
        lines.append(f'<circle cx="{edge}" cy="{row.y}" r="3" fill="{colour}"/>')
    return lines


def _svg_pins(layout: Layout) -> list[str]:
    board, lines = layout.board, []
    for pin in layout.pins:
        left = pin.side == "left"
        edge = board.x if left else board.x + board.width
        x, css = (edge + 12, "") if left else (edge - 12, ' class="e"')
        lines.append(f'<text{css} x="{x}" y="{pin.y + 4}">{_xml(pin.pin, 12)}</text>')
        lines.append(f'<circle cx="{edge}" cy="{pin.y}" r="3" fill="#2563eb"/>')
    return lines


def _svg_wires(layout: Layout) -> list[str]:
    lines = []
    for wire in layout.wires:
        points = " ".join(f"{x},{y}" for x, y in wire.points)
        lines.append(f'<polyline points="{points}"/>')
        if wire.label:
            (x1, y1), (x2, _) = wire.points[0], wire.points[-1]
            x = min(x1, x2) + 24
            lines.append(f'<text class="s" x="{x}" y="{y1 - 5}">{_xml(wire.label, 20)}</text>')
    return lines


def wiring_mermaid(design: Design, kinds: Mapping[str, Electrical] = _NO_KINDS) -> str:
    """A Mermaid flowchart: what is joined with what, by which pin."""
    nets = nets_of(design, kinds)
    names = {BOARD: "b", HOST: "h"}
    lines = ["flowchart LR"]
    lines.append(f'  b["{_mermaid(design.board.model)}<br/>{_mermaid(design.board.part)}"]')
    if any(end.ref == HOST for net in nets for end in net.endpoints):
        lines.append('  h["console of the host"]')
    for number, item in enumerate(design.components):
        names[item.id] = f"c{number}"
        lines.append(
            f'  c{number}["{_mermaid(item.id)}<br/>{_mermaid(f"{item.kind} {item.part_number}")}"]'
        )
    for net in nets:
        near, *far = net.endpoints
        for end in far:
            if end.ref in names:
                label = _mermaid(_join_text(net, near.terminal, end.terminal))
                lines.append(f'  b -- "{label}" --- {names[end.ref]}')
    return "\n".join(lines) + "\n"


def _join_text(net: Net, pin: str, terminal: str) -> str:
    notes = [f"{net.series_ohm} Ohm"] if net.series_ohm else []
    notes += ["driver"] if net.driver else []
    notes += ["pull-up"] if net.pull_up else []
    joined = pin if pin == terminal else f"{pin} to {terminal}"
    return ", ".join([joined, *notes])


def wiring_text(design: Design, kinds: Mapping[str, Electrical] = _NO_KINDS) -> str:
    """The wiring for a terminal: one block a component, one line a wire."""
    nets = nets_of(design, kinds)
    lines = [_line(f"{design.board.model} ({design.board.part})")]
    things = [(item.id, f"{item.kind} {item.part_number}".strip()) for item in design.components]
    if any(end.ref == HOST for net in nets for end in net.endpoints):
        things.append((HOST, "console"))
    for ref, what in things:
        lines += ["", _line(f"  {ref}  {what}")]
        for net in nets:
            near, *far = net.endpoints
            for end in (end for end in far if end.ref == ref):
                lines.append(_line(f"    {_wire_line(net, near.terminal, end.terminal)}"))
    return "\n".join(lines) + "\n"


def _wire_line(net: Net, pin: str, terminal: str) -> str:
    notes = [f"{net.series_ohm} Ohm in series"] if net.series_ohm else []
    notes += [f"through a {net.driver}"] if net.driver else []
    notes += ["with a resistor to the supply"] if net.pull_up else []
    notes += ["on the board"] if net.onboard else []
    if net.kind is NetKind.POWER:
        pin = supply_name(net.voltage_mv)
    tail = f"  ({'; '.join(notes)})" if notes else ""
    return f"{pin:<7} ── {terminal}{tail}"


def _line(text: str) -> str:
    """Text of a design on a line of its own: no control characters, no bidirectional marks."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _xml(text: str, longest: int) -> str:
    """Text inside of an element; nothing of it can be markup."""
    plain = _line(_short(text, longest))
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        plain = plain.replace(sign, entity)
    return plain


def _mermaid(text: str) -> str:
    """Text inside of a quoted label; all but plain characters by their numbers."""
    plain = _line(_short(text, 60))
    return _PLAIN.sub(lambda match: f"#{ord(match[0])};", plain)
