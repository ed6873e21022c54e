"""What is known of a board's flash after a write, and what a write would leave of the last image.

Pure.
"""

from collections.abc import Iterable, Sequence

from benchagent.command import (
    NOTHING_PROVEN,
    RELEASED,
    Flash,
    Order,
    Outcome,
    ProvenImage,
    Result,
    Segment,
    in_address_order,
)

APPLICATIONS = frozenset({"test", "release"})
"""What images are called that are all of an application, and take the place of another one."""
# No flash erases less than this at once.
_SMALLEST_SECTOR = 4096
_MAX_PROVEN_SEGMENTS = 64
# And none more than 128 KiB.
_LARGEST_IN_SMALLEST = 32
# What stands behind an image is never run: where it is more, erasing it is not worth the time.
_MOST_LEFT_BYTES = 256 * 1024


def proven_after(
    sha256: str,
    written: Sequence[Segment],
    before: ProvenImage = NOTHING_PROVEN,
    blank: Sequence[range] = (),
) -> ProvenImage:
    """What a board holds after a proven flash: the pieces that were written, and those of the
    image before that the flash did not touch. `blank` are addresses that were erased besides."""
    size = _SMALLEST_SECTOR
    touched = [_sectors(segment) for segment in written]
    touched += [range(one.start // size, one.stop // size) for one in blank]
    kept = [
        segment
        for segment in before.segments
        if not any(_overlap(_sectors(segment), other) for other in touched)
    ]
    pieces = (*in_address_order(written), *kept)[:_MAX_PROVEN_SEGMENTS]
    return ProvenImage(sha256=sha256, segments=pieces)


def left_behind(before: ProvenImage, flash: Flash) -> tuple[range, ...]:
    """Addresses right behind an application at which a longer one before it would be left.

    Pieces that follow one another are one run; it takes the place of a run that began where it
    begins. Whole sectors of the smallest size; none of 256 KiB and more, and none that may be part
    of a larger sector with a piece that is kept: of those, what is written is erased whole.
    """
    if flash.image not in APPLICATIONS:
        return ()
    written = _joined(map(_sectors, flash.segments))
    old = _joined(map(_sectors, before.segments))
    ends = {run.start: run.stop for run in written}
    kept = [run for run in old if not any(_overlap(run, other) for other in written)]
    held = {sector // _LARGEST_IN_SMALLEST for run in kept for sector in run}
    rests = [range(ends[run.start], run.stop) for run in old if run.start in ends]
    erased = [
        range(sector, sector + 1)
        for rest in rests
        if len(rest) * _SMALLEST_SECTOR < _MOST_LEFT_BYTES
        and not any(_overlap(rest, other) for other in written)
        for sector in rest
        if sector // _LARGEST_IN_SMALLEST not in held
    ]
    size = _SMALLEST_SECTOR
    return tuple(range(one.start * size, one.stop * size) for one in _joined(erased))


def _joined(ranges: Iterable[range]) -> list[range]:
    """Ranges that touch or overlap as one, by their starts."""
    found: list[range] = []
    for one in sorted(ranges, key=lambda each: each.start):
        if found and one.start <= found[-1].stop:
            found[-1] = range(found[-1].start, max(found[-1].stop, one.stop))
        else:
            found.append(one)
    return found


def _sectors(segment: Segment) -> range:
    last = segment.address + segment.size_bytes - 1
    return range(segment.address // _SMALLEST_SECTOR, last // _SMALLEST_SECTOR + 1)


def _overlap(one: range, other: range) -> bool:
    return one.start < other.stop and other.start < one.stop


def flash_held_after(result: Result, flash: Flash, before: ProvenImage) -> ProvenImage:
    """The image that is in flash for certain after a flash."""
    done = result.flash
    if done is None:
        return NOTHING_PROVEN
    if done.read_back_sha256 == done.image_sha256:
        blank = left_behind(before, flash)
        return proven_after(done.image_sha256, flash.segments, before, blank)
    untouched = done.sectors_erased == 0 and done.bytes_programmed == 0
    is_refused = result.outcome is Outcome.REFUSED
    return before if untouched and is_refused else NOTHING_PROVEN


def released_by(action: Order | None, result: Result) -> ProvenImage | None:
    """The image that a board is to be left with after a flash; None when that did not change.

    It is what was asked for, without what else the flash is known to hold."""
    done = result.flash
    if not isinstance(action, Flash) or action.image not in RELEASED or done is None:
        return None
    if done.read_back_sha256 != done.image_sha256:
        return None
    return ProvenImage(sha256=done.image_sha256, segments=action.segments)
