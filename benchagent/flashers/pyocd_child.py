"""The child process that drives pyOCD, forked by `nursery_process`.

One line with a JSON request on stdin, JSON lines on stdout, the last one the result. pyOCD is
imported here and in `pyocd_target` only, so that a crash, a leak or a hang of it costs one
process. An operation goes on when its parent dies: its own watchdog bounds it, and `record` keeps
its result.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchagent.flashers import plan
from benchagent.flashers.child import blank_from, known_failure, segments_from, serve
from benchagent.flashers.child_talk import HOLD_S, OperationError, Release, Talk
from benchagent.flashers.protocol import Phase, Reason
from benchagent.flashers.pyocd_target import (
    READ_CHUNK,
    Target,
    import_all,
    probe_answers,
    visible_probes,
)
from benchagent.flashers.stm32_parts import (
    DEVICE_ID_MASK,
    PARTS,
    UNKNOWN,
    Part,
    chip_name,
    parts_that_match,
)

MAX_SEGMENT_FILE = 4 * 1024 * 1024


def _part(request: dict[str, Any]) -> Part:
    part = PARTS.get(str(request["part"]))
    if part is None:
        raise OperationError(Reason.BAD_REQUEST, f"no flasher knows the part {request['part']}")
    return part


def _identity(part: Part, found: plan.Found) -> dict[str, Any]:
    device_id = found.idcode & DEVICE_ID_MASK
    matching = parts_that_match(device_id, found.flash_kib)
    # Of parts that look the same, the expected one is believed; else only one that stands alone.
    named = part if part in matching else matching[0] if len(matching) == 1 else None
    return {
        "probe_uid": found.probe_uid,
        "part": named.name if named else "",
        "device_id": device_id,
        "revision_id": found.idcode >> 16,
        "device_uid": found.device_uid,
        "flash_kib": found.flash_kib,
        "chip": chip_name(device_id),
        "candidates": [each.name for each in matching],
        "protections": plan.protections(matching[0], found.options) if matching else [],
    }


@contextlib.contextmanager
def _opened(request: dict[str, Any], part: Part, talk: Talk) -> Iterator[Target]:
    target = Target(
        address=str(request["probe"]),
        part=part,
        under_reset=bool(request.get("under_reset")),
        frequency_hz=request.get("frequency_hz"),
        talk=talk,
    )
    try:
        yield target
    finally:
        target.close()


def flash(request: dict[str, Any], talk: Talk) -> dict[str, Any]:
    """Check everything, write what differs, read it back."""
    part = _part(request)
    segments = segments_from(request["segments"], largest=MAX_SEGMENT_FILE)
    images = plan.sector_images(part, [*segments, *blank_from(request.get("blank") or ())])
    with _opened(request, part, talk) as target:
        found = target.identify()
        talk.say("identity", **_identity(part, found))
        plan.check_target(
            part,
            found,
            images,
            probe_uid=str(request.get("probe_uid") or ""),
            device_uid=str(request.get("device_uid") or ""),
        )
        stale: list[plan.SectorImage] = []
        skipped: list[int] = []
        blank: list[plan.SectorImage] = []
        for image in images:
            present = target.read(image.sector.address, image.sector.size)
            if present == image.data:
                talk.say("skipped", sector=image.sector.number)
                skipped.append(image.sector.number)
                continue
            stale.append(image)
            if present.count(b"\xff") == len(present):
                blank.append(image)
        dirty = [image for image in stale if image not in blank]
        programmed_bytes = 0
        if stale:
            target.reset_and_halt()
            programmed_bytes = _write(target, talk, stale, dirty)
        verified = _verify(target, talk, part, images, segments)
        if request.get("reset_after"):
            _reset(target, talk, hold=bool(request.get("hold")))
        else:
            target.reset_and_halt()
            target.stay_halted()
    return {
        "verified": verified,
        "was_reset": bool(request.get("reset_after")),
        "erased": [image.sector.number for image in dirty],
        "programmed": [image.sector.number for image in plan.programming_order(stale)],
        "skipped": skipped,
        "programmed_bytes": programmed_bytes,
    }


def _reset(target: Target, talk: Talk, *, hold: bool, soft: bool = False) -> None:
    """Start the firmware; with `hold`, once the parent has taken what the old one said.

    A board never stays halted for a parent that is gone or stuck.
    """
    if not hold:
        target.reset(soft=soft)
        return
    target.halt()
    release = talk.hold()
    target.reset(soft=soft)
    if release is Release.EXPIRED:
        message = f"the agent did not answer for {HOLD_S:g} s; the board was reset without it"
        raise OperationError(Reason.TOOL_HUNG, message)


def _write(
    target: Target, talk: Talk, stale: list[plan.SectorImage], dirty: list[plan.SectorImage]
) -> int:
    """Erase what is dirty, write what is stale; gives the bytes written."""
    total = sum(image.sector.size for image in dirty)
    done = 0
    talk.progress(Phase.ERASE, done, total)
    for image in dirty:
        talk.say("erasing", sector=image.sector.number)
        target.erase(image.sector)
        done += image.sector.size
        talk.progress(Phase.ERASE, done, total)
    ordered = plan.programming_order(stale)
    total = sum(len(page.data) for image in ordered for page in plan.pages_to_program(image))
    done = 0
    talk.progress(Phase.PROGRAM, done, total)
    for image in ordered:
        for page in plan.pages_to_program(image):
            target.program(page)
            done += len(page.data)
            talk.progress(Phase.PROGRAM, done, total)
        talk.say("programmed", sector=image.sector.number)
    target.finish_writing()
    return total


def _verify(
    target: Target,
    talk: Talk,
    part: Part,
    images: tuple[plan.SectorImage, ...],
    segments: list[plan.Bytes],
) -> list[dict[str, Any]]:
    """Read every planned sector back from the board and compare it byte for byte."""
    total = sum(image.sector.size for image in images)
    done = 0
    readback = bytearray(part.flash_size)
    talk.progress(Phase.VERIFY, done, total)
    for image in images:
        found = target.read(image.sector.address, image.sector.size)
        if found != image.data:
            pairs = enumerate(zip(found, image.data, strict=True))
            at = next(index for index, (is_now, wanted) in pairs if is_now != wanted)
            raise OperationError(
                Reason.VERIFY_FAILED,
                f"{image.sector.address + at:#010x} reads {found[at]:#04x} instead of "
                f"{image.data[at]:#04x} (sector {image.sector.number})",
            )
        offset = image.sector.address - part.flash_address
        readback[offset : offset + len(found)] = found
        done += image.sector.size
        talk.progress(Phase.VERIFY, done, total)
    verified: list[dict[str, Any]] = []
    for segment in sorted(segments, key=lambda segment: segment.address):
        offset = segment.address - part.flash_address
        found = bytes(readback[offset : offset + len(segment.data)])
        digest = hashlib.sha256(found).hexdigest()
        verified.append({"address": segment.address, "length": len(found), "sha256": digest})
    return verified


def reset(request: dict[str, Any], talk: Talk) -> dict[str, Any]:
    """Restart the firmware."""
    with _opened(request, _part(request), talk) as target:
        _reset(target, talk, hold=bool(request.get("hold")), soft=bool(request.get("soft")))
    return {}


def read(request: dict[str, Any], talk: Talk) -> dict[str, Any]:
    """Read memory without halting the core."""
    length = int(request["length"])
    if not 0 < length <= MAX_SEGMENT_FILE:
        raise OperationError(Reason.BAD_REQUEST, f"cannot read {length} bytes at once")
    with _opened(request, _part(request), talk) as target:
        data = target.read(int(request["address"]), length)
    for at in range(0, length, READ_CHUNK):
        talk.say("data", base64=base64.b64encode(data[at : at + READ_CHUNK]).decode())
    return {}


def identify(request: dict[str, Any], talk: Talk) -> dict[str, Any]:
    """Ask the board who it is, whatever it is."""
    part = _part(request) if request.get("part") else UNKNOWN
    with _opened(request, part, talk) as target:
        return {"identity": _identity(part, target.identify())}


def probes(_request: dict[str, Any], _talk: Talk) -> dict[str, Any]:
    """The probes on USB."""
    return {"probes": visible_probes()}


OPERATIONS: dict[str, Callable[[dict[str, Any], Talk], dict[str, Any]]] = {
    "flash": flash,
    "reset": reset,
    "read": read,
    "identify": identify,
    "probes": probes,
}


def _failure(error: Exception, request: dict[str, Any], talk: Talk) -> tuple[Reason, str]:
    """The reason of anything that went wrong, told from the error and the probe itself."""
    if known := known_failure(error, talk):
        return known
    names = [type(link).__name__ for link in _chain(error)]
    text = f"{names[0]}: {error}" if str(error) else names[0]
    if "ProbeDisconnected" in names or "ConnectionResetError" in names:
        return Reason.PROBE_LOST, text
    if "probe" in request and not probe_answers(str(request["probe"])):
        return Reason.PROBE_LOST, text
    for family, reason in (
        ("Flash", Reason.WRITE_FAILED),
        ("Transfer", Reason.TARGET_SILENT),
        ("CoreRegisterAccess", Reason.TARGET_SILENT),
        ("ProbeError", Reason.PROBE_LOST),
    ):
        if any(name.startswith(family) for name in names):
            return reason, text
    if isinstance(error, (KeyError, TypeError, ValueError)) and "pyocd" not in sys.modules:
        return Reason.BAD_REQUEST, text
    return Reason.TOOL_CRASHED, text


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def warm() -> None:
    """Import what every operation needs. Without pyOCD the operation will say so."""
    with contextlib.suppress(OperationError):
        import_all()


def _perform(request: dict[str, Any], talk: Talk, _told: dict[str, Any]) -> dict[str, Any]:
    return OPERATIONS[str(request["op"])](request, talk)


def main(_kept_open: Sequence[int] = ()) -> int:
    """Perform the request on stdin; the exit code is 0 whenever there is a result line."""
    return serve(_perform, _failure)


if __name__ == "__main__":
    sys.exit(main())
