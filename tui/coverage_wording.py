"""What a failed scenario reached of a sketch, as lines. Pure."""

from tui.state.fact import Coverage
from tui.wording import one_line, visible

_SHOWN_RANGES = 8


def coverage_lines(coverage: Coverage) -> list[str]:
    """``14 of 20 lines with code ran in light on qemu-netduinoplus2; these never did:``."""
    name = one_line(coverage.scenario_id, 60)
    if coverage.unknown:
        return [f"which lines ran in {name} is not known: {one_line(coverage.unknown, 200)}"]
    ratio = f"{coverage.executed} of {coverage.executable} lines with code ran"
    head = f"{ratio} in {name} on {one_line(coverage.runner, 60)}"
    if not coverage.never_ran:
        return [head]
    lines = [f"{head}; these never did:"]
    for found in coverage.never_ran[:_SHOWN_RANGES]:
        for number, text in enumerate(found.text.splitlines(), found.first):
            place = f"{one_line(found.file, 40)}:{number}"
            lines.append(f"  {place:<18} {visible(text.rstrip())}")
        left = found.last - found.first + 1 - len(found.text.splitlines())
        if left > 0:
            lines.append(f"  … {left} more lines, to {found.last}")
    more = len(coverage.never_ran) - _SHOWN_RANGES
    return [*lines, f"  and {more} more places"] if more > 0 else lines
