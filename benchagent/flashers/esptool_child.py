"""The child process that drives esptool, forked by `nursery_process`.

One line with a JSON request on stdin, JSON lines on stdout, the last one the result. An operation
goes on when its parent dies: its own watchdog bounds it, and `record` keeps its result. It never
resets the board at the end, for the parent reads the console only afterwards; without a parent it
does.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchagent.flashers import esptool_plan as plan
from benchagent.flashers.child import blank_from, known_failure, segments_from, serve
from benchagent.flashers.child_talk import OperationError, Talk
from benchagent.flashers.plan import Bytes, PlanError, SectorImage, sector_images
from benchagent.flashers.protocol import Phase, Reason
from benchagent.flashers.stm32_parts import KIB

if TYPE_CHECKING:
    from benchagent.flashers import esptool_link

# A run is one erase for the tool. The larger ones keep the watchdog quiet also where 64 KiB take
# the 2 s that flash data sheets allow at most; ROM loaders erase all of it before the first byte.
STUB_RUN_BYTES, ROM_RUN_BYTES = 256 * KIB, 64 * KIB
READ_CHUNK = 256 * KIB
_SAY_EVERY = 16 * KIB
_LINK = "benchagent.flashers.esptool_link"
_HINT = "the Python package esptool is needed: pip install 'benchline[agent]'"


def _tool() -> Any:
    """The module that imports esptool. Raises OperationError TOOL_MISSING."""
    try:
        return importlib.import_module(_LINK)
    except ImportError as error:
        raise OperationError(Reason.TOOL_MISSING, f"{_HINT} ({error})") from error


def _part(request: dict[str, Any]) -> plan.Part:
    part = plan.PARTS.get(str(request["part"]))
    if part is None:
        raise OperationError(Reason.BAD_REQUEST, f"no flasher knows the part {request['part']}")
    return part


def _entrance(request: dict[str, Any]) -> Any:
    return _tool().Entrance(
        path=str(request["path"]),
        exclusive=bool(request["exclusive"]),
        control=str(request.get("control") or ""),
        native_usb=bool(request.get("native_usb")),
    )


@dataclass(slots=True, kw_only=True)
class Session:
    """One operation on one chip, whatever ways it takes."""

    request: dict[str, Any]
    talk: Talk
    attempts: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Tell what was tried."""
        self.attempts.append(text)
        self.talk.say("attempt", text=text)

    def use(self, work: Callable[[esptool_link.Chip, plan.Way], None]) -> None:
        """Do the work on the chip in the first way in which it can be done.

        Raises OperationError or PlanError.
        """
        tool = _tool()
        left: tuple[plan.Way, ...] = plan.WAYS
        if self.request.get("gentle"):
            left = tuple(way for way in plan.WAYS if way.baud == plan.ROM_BAUD)
        while True:
            way = left[0]
            try:
                with self.connected() as chip:
                    work(chip, way)
            except tool.TransferError as error:
                self.note(f"{way}: {error}")
                left = plan.ways_after(way, stub_failed=error.stub_failed)
                if not left:
                    raise OperationError(
                        Reason.TARGET_SILENT, f"{error} (tried: {'; '.join(self.attempts)})"
                    ) from error
            except (OperationError, PlanError) as error:
                self.note(f"{way}: {error.reason}: {error}")
                raise
            else:
                self.note(f"{way}: ok")
                return

    @contextlib.contextmanager
    def connected(self) -> Iterator[esptool_link.Chip]:
        """The chip in its bootloader."""
        self.talk.say("bootloader")
        with (
            self.talk.interruptible(),
            _tool().connected(
                _entrance(self.request), self.note, self.talk.check_cancelled
            ) as chip,
        ):
            yield chip

    def identity(
        self, part: plan.Part | None, found: plan.Found, told: dict[str, Any], size: int, jedec: int
    ) -> dict[str, Any]:
        """What is known of the chip, as the parent is told."""
        known = [one.name for one in plan.PARTS.values() if one.chip == found.chip]
        return {
            "probe_uid": found.mac,
            "part": known[0] if known else "",
            "device_id": found.image_id,
            "revision_id": found.revision,
            "device_uid": found.mac,
            "flash_kib": size // KIB,
            "flash_id": jedec,
            "protections": list(found.protections),
            **told,
        }


@dataclass(slots=True, kw_only=True)
class FlashJob:
    """A flash: what is wanted, and what was done so far in all its attempts."""

    session: Session
    part: plan.Part
    segments: list[Bytes]
    images: tuple[SectorImage, ...]
    needs: tuple[plan.Needs, ...]
    base: dict[int, bytes]
    erased: list[int] = field(default_factory=list)
    programmed: list[int] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)
    programmed_bytes: int = 0
    verified: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, session: Session) -> FlashJob:
        """Everything that can be checked without the board. Raises OperationError or PlanError."""
        part = _part(session.request)
        segments = segments_from(session.request["segments"], largest=plan.LARGEST_FLASH)
        blank = blank_from(session.request.get("blank") or ())
        flash = plan.Flash(name=part.name, flash_size=plan.LARGEST_FLASH)
        return cls(
            session=session,
            part=part,
            segments=segments,
            images=sector_images(flash, [*segments, *blank]),
            needs=plan.image_needs(part, segments),
            base=_base(session.request, flash),
        )

    def attempt(self, chip: esptool_link.Chip, way: plan.Way) -> None:
        """Check, compare, write, read back: once, in one way."""
        talk = self.session.talk
        found = chip.found()
        told = chip.description()
        talk.say("identity", **self.session.identity(self.part, found, told, 0, 0))
        request = self.session.request
        expected = (str(request.get("probe_uid") or ""), str(request.get("device_uid") or ""))
        plan.check_chip(self.part, found, self.needs, expected=expected)
        size, jedec = chip.prepare(way)
        talk.say("identity", **self.session.identity(self.part, found, told, size, jedec))
        plan.check_size(self.part, size, self.images)
        compared = plan.compare(self.images, self.base, self._asked(chip))
        self._say_skipped((*compared.unread, *compared.proven))
        if compared.stale:
            self.base = {}  # what was proven is no more
        written = self._write(chip, compared.stale)
        self._verify(chip, (*written, *compared.unread), compared.proven)

    def _asked(self, chip: esptool_link.Chip) -> Callable[[int, int], str]:
        def md5(address: int, length: int) -> str:
            found = chip.md5(address, length)
            self.session.talk.say("alive")
            self.session.talk.check_cancelled()
            return found

        return md5

    def _say_skipped(self, images: Sequence[SectorImage]) -> None:
        known = {*self.erased, *self.skipped}
        for image in images:
            number = image.sector.number
            if number not in known:
                self.session.talk.say("skipped", sector=number)
                self.skipped.append(number)

    def _write(
        self, chip: esptool_link.Chip, stale: Sequence[SectorImage]
    ) -> tuple[SectorImage, ...]:
        talk = self.session.talk
        most = STUB_RUN_BYTES if chip.has_stub else ROM_RUN_BYTES
        total = len(stale) * plan.SECTOR_SIZE
        done = 0
        talk.progress(Phase.PROGRAM, done, total)
        for run in plan.writing_order(self.part, stale, most):
            for number in run.numbers:
                talk.say("erasing", sector=number)
                self.erased.append(number)
            size = len(run.images) * plan.SECTOR_SIZE

            def say(sent: int, of: int, base: int = done, size: int = size) -> None:
                share = size * sent // of if of else 0
                talk.progress(Phase.PROGRAM, base + share, total)

            chip.write(run.address, run.data, say)
            done += size
            for number in run.numbers:
                talk.say("programmed", sector=number)
                self.programmed.append(number)
            talk.progress(Phase.PROGRAM, done, total)
        self.programmed_bytes += total
        return tuple(stale)

    def _verify(
        self,
        chip: esptool_link.Chip,
        unread: Sequence[SectorImage],
        proven: Sequence[SectorImage],
    ) -> None:
        """Read back what was not read back since it was written, and compare it byte for byte."""
        talk = self.session.talk
        total = len(unread) * plan.SECTOR_SIZE
        done = 0
        talk.progress(Phase.VERIFY, done, total)
        readback = {image.sector.number: image.data for image in proven}
        ordered = sorted(unread, key=lambda image: image.sector.number)
        for run in plan.runs(ordered, READ_CHUNK):
            found = chip.read(run.address, len(run.data), self._reading(done, total))
            for index, image in enumerate(run.images):
                piece = found[index * plan.SECTOR_SIZE :][: plan.SECTOR_SIZE]
                _check_equal(image, piece)
                readback[image.sector.number] = piece
            done += len(run.data)
            talk.progress(Phase.VERIFY, done, total)
        self.verified = [_digest_of(segment, readback) for segment in self._by_address()]

    def _reading(self, done: int, total: int) -> Callable[[int, int], None]:
        last = done

        def say(read: int, _of: int) -> None:
            nonlocal last
            if done + read - last >= _SAY_EVERY:
                last = done + read
                self.session.talk.progress(Phase.VERIFY, last, total)

        return say

    def _by_address(self) -> list[Bytes]:
        return sorted(self.segments, key=lambda segment: segment.address)


def _base(request: dict[str, Any], flash: plan.Flash) -> dict[int, bytes]:
    """What sectors hold by the last proof; nothing when that cannot be told any more."""
    try:
        described = request.get("base") or ()
        images = sector_images(flash, segments_from(described, largest=plan.LARGEST_FLASH))
    except (OperationError, PlanError):
        return {}
    return {image.sector.number: image.data for image in images}


def _check_equal(image: SectorImage, found: bytes) -> None:
    if found == image.data:
        return
    pairs = enumerate(zip(found, image.data, strict=True))
    at = next(index for index, (is_now, wanted) in pairs if is_now != wanted)
    raise OperationError(
        Reason.VERIFY_FAILED,
        f"{image.sector.address + at:#08x} reads {found[at]:#04x} instead of "
        f"{image.data[at]:#04x} (sector {image.sector.number})",
    )


def _digest_of(segment: Bytes, readback: dict[int, bytes]) -> dict[str, Any]:
    first = segment.address // plan.SECTOR_SIZE
    last = (segment.end - 1) // plan.SECTOR_SIZE
    found = b"".join(readback[number] for number in range(first, last + 1))
    start = segment.address - first * plan.SECTOR_SIZE
    data = found[start : start + len(segment.data)]
    digest = hashlib.sha256(data).hexdigest()
    return {"address": segment.address, "length": len(data), "sha256": digest}


def flash(session: Session) -> dict[str, Any]:
    """Check everything, write what differs, read it back."""
    job = FlashJob.of(session)
    was_reset = False

    def work(chip: esptool_link.Chip, way: plan.Way) -> None:
        nonlocal was_reset
        job.attempt(chip, way)
        if session.request.get("reset_after") and session.talk.is_alone():
            chip.restart(_entrance(session.request))
            was_reset = True

    session.use(work)
    return {
        "verified": job.verified,
        "was_reset": was_reset,
        "erased": job.erased,
        "programmed": job.programmed,
        "skipped": job.skipped,
        "programmed_bytes": job.programmed_bytes,
    }


def read(session: Session) -> dict[str, Any]:
    """Read flash."""
    address, length = int(session.request["address"]), int(session.request["length"])
    if not 0 < length <= plan.LARGEST_FLASH:
        raise OperationError(Reason.BAD_REQUEST, f"cannot read {length} bytes at once")
    found = bytearray()

    def work(chip: esptool_link.Chip, way: plan.Way) -> None:
        part = _part(session.request)
        plan.check_chip(part, chip.found(), (), expected=(str(session.request["probe_uid"]),))
        chip.prepare(way)
        found.clear()
        while len(found) < length:
            size = min(READ_CHUNK, length - len(found))
            found.extend(chip.read(address + len(found), size, _alive(session.talk)))

    session.use(work)
    for at in range(0, length, READ_CHUNK):
        piece = bytes(found[at : at + READ_CHUNK])
        session.talk.say("data", base64=base64.b64encode(piece).decode())
    return {}


def _alive(talk: Talk) -> Callable[[int, int], None]:
    def say(_done: int, _of: int) -> None:
        talk.say("alive")
        talk.check_cancelled()

    return say


def identify(session: Session) -> dict[str, Any]:
    """Ask the chip who it is."""
    told: dict[str, Any] = {}

    def work(chip: esptool_link.Chip, way: plan.Way) -> None:
        found = chip.found()
        description = chip.description()
        size, jedec = (0, 0) if found.protections else chip.prepare(way)
        told.update(session.identity(None, found, description, size, jedec))

    session.use(work)
    return {"identity": told}


OPERATIONS: dict[str, Callable[[Session], dict[str, Any]]] = {
    "flash": flash,
    "read": read,
    "identify": identify,
}


def _failure(error: Exception, _request: dict[str, Any], talk: Talk) -> tuple[Reason, str]:
    """The reason of anything that went wrong."""
    if known := known_failure(error, talk):
        return known
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, OSError):
        return Reason.PROBE_LOST, text
    return Reason.TOOL_CRASHED, text


def warm() -> None:
    """Import what every operation needs. Without esptool the operation will say so."""
    with contextlib.suppress(OperationError):
        _tool()


def _perform(request: dict[str, Any], talk: Talk, told: dict[str, Any]) -> dict[str, Any]:
    session = Session(request=request, talk=talk)
    told["attempts"] = session.attempts
    return OPERATIONS[str(request["op"])](session)


def main(_kept_open: Sequence[int] = ()) -> int:
    """Perform the request on stdin; the exit code is 0 whenever there is a result line."""
    return serve(_perform, _failure)


if __name__ == "__main__":
    sys.exit(main())
