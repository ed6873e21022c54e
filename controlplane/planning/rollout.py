"""How images come onto many boards: which image onto which, in which waves, and when to stop.

Pure.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from controlplane.domain.bench import Board
from controlplane.domain.deployment import (
    BoardDeployment,
    DeploymentCounts,
    DeploymentRequest,
    StopRule,
)
from controlplane.domain.firmware_image import FirmwareContent
from controlplane.domain.image_memory import PartMemory, lacking
from controlplane.domain.verdict import Outcome, State

MOST_BOARDS = 1_000
MOST_WAVES = 50
LONGEST_WAIT = timedelta(hours=24)
_SIZE = re.compile(r"(?P<count>[0-9]{1,6})|(?P<percent>[0-9]{1,3})%|rest")
_REST = "rest"


class RolloutError(ValueError):
    """A rollout that cannot be planned; the text says how to write it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An image with its title."""

    title: str
    content: FirmwareContent


def wave_sizes(text: str) -> tuple[str, ...]:
    """Read `1,25%,rest`; no text means one wave.

    Raises:
        RolloutError: a word that is no size, a size of nothing, `rest` before the end.
    """
    words = tuple(word.strip().lower() for word in text.split(",")) if text.strip() else (_REST,)
    if len(words) > MOST_WAVES:
        raise RolloutError(f"at most {MOST_WAVES} sizes of waves")
    for index, word in enumerate(words):
        match = _SIZE.fullmatch(word)
        if match is None:
            raise RolloutError(
                f"{word[:20]!r} is not the size of a wave: a number, a share such as 25%, or rest"
            )
        if word == _REST and index + 1 < len(words):
            raise RolloutError("rest is the last wave; nothing can follow it")
        number = match["count"] or match["percent"]
        if number and int(number) == 0:
            raise RolloutError("a wave has at least one board")
        if match["percent"] and int(match["percent"]) > 100:
            raise RolloutError(f"{word} is more than all boards")
    return words


def plan_waves(boards: Sequence[str], sizes: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Deal boards out to waves in their order. The last size repeats until all are dealt.

    A share is of all boards, rounded up. No wave is empty, each board is in exactly one.
    """
    waves: list[tuple[str, ...]] = []
    left = list(boards)
    while left:
        word = sizes[min(len(waves), len(sizes) - 1)]
        if word == _REST:
            size = len(left)
        elif word.endswith("%"):
            size = -(-len(boards) * int(word[:-1]) // 100)
        else:
            size = int(word)
        waves.append(tuple(left[:size]))
        left = left[size:]
    return tuple(waves)


def mixed_order(boards: Sequence[BoardDeployment]) -> list[BoardDeployment]:
    """Boards by name, images taking turns, so that the first wave tries as many as it can."""
    turns: dict[str, int] = {}
    order: list[tuple[int, str, BoardDeployment]] = []
    for board in sorted(boards, key=lambda board: board.board):
        turn = turns[board.image] = turns.get(board.image, -1) + 1
        order.append((turn, board.image, board))
    return [board for _, _, board in sorted(order, key=lambda entry: entry[:2])]


def check_rollout(request: DeploymentRequest) -> None:
    """What can be said of a request by itself.

    Raises:
        RolloutError: unreadable waves, a share over 100 percent, options that exclude one another.
    """
    wave_sizes(request.waves)
    if request.stop_rule.max_failed_percent > 100:
        raise RolloutError("at most 100 percent of the boards can fail")
    if request.no_reset and request.scenarios:
        raise RolloutError("a board that is not reset cannot be judged by a scenario")
    wait = request.board_wait
    if wait is not None and not timedelta(0) <= wait <= LONGEST_WAIT:
        raise RolloutError("a board is waited for at most a day")


def reason_to_stop(rule: StopRule, begun: int, not_passed: int) -> str:
    """Why no further wave is begun; "" when one may be.

    `begun` counts the boards of the waves so far, `not_passed` those of them that did not pass.
    """
    share = f"{not_passed} of {begun} boards did not pass"
    if rule.stop_after and not_passed >= rule.stop_after:
        return f"{share}; the rule stops after {rule.stop_after}"
    if not_passed * 100 > rule.max_failed_percent * begun:
        return f"{share}; the rule allows {rule.max_failed_percent} %"
    return ""


def assign_images(
    boards: Sequence[Board],
    images: Sequence[Candidate],
    bounds: Mapping[str, PartMemory],
    *,
    declared_part: str = "",
) -> tuple[BoardDeployment, ...]:
    """Give each board its image, in wave 1; a board without one is REFUSED, in wave 0.

    `bounds` tells the memory of known parts. `declared_part` is the part that the operator names
    for boards whose part is not known; the flash tool proves it before the first erase.
    """
    return tuple(_assigned(board, images, bounds, declared_part) for board in boards)


def _assigned(
    board: Board,
    images: Sequence[Candidate],
    bounds: Mapping[str, PartMemory],
    declared_part: str,
) -> BoardDeployment:
    part = board.part or declared_part
    # One that is being recovered may be back before its turn, and is waited for.
    if board.quarantine is not None and not board.recovering:
        return _refused(
            board,
            part,
            "BOARD_QUARANTINED",
            f"{board.board_id} is out of service: {board.quarantine.message}",
            next_action(Outcome.REFUSED, "BOARD_QUARANTINED"),
        )
    if not part:
        return _refused(
            board,
            part,
            "PART_UNKNOWN",
            f"the part of {board.board_id} is not known",
            "name it with --part; the flash tool proves it before the first erase",
        )
    fitting = [image for image in images if image.content.target.fits(part)]
    if not fitting:
        given = ", ".join(f"{i.title} is for {i.content.target}" for i in images)
        return _refused(
            board,
            part,
            "NO_IMAGE_FOR_PART",
            f"{board.board_id} is an {part}; {given}",
            f"give an image for {part}, or leave {board.board_id} out of the selector",
        )
    exact = [image for image in fitting if image.content.target.part == part]
    chosen = exact or fitting
    if len(chosen) > 1:
        titles = " and ".join(image.title for image in chosen)
        return _refused(
            board,
            part,
            "SEVERAL_IMAGES_FIT",
            f"{titles} both fit {board.board_id}, a {part}",
            f"say which one is for {part}: --image {part}={chosen[0].title}",
        )
    return _placed(board, part, chosen[0], bounds.get(part))


def _placed(
    board: Board, part: str, image: Candidate, bounds: PartMemory | None
) -> BoardDeployment:
    """The board with its image, unless the image asks for more memory than it has."""
    base, size = (bounds.flash.start, len(bounds.flash)) if bounds else (0, 0)
    if board.chip is not None and board.chip.flash_bytes:
        size = board.chip.flash_bytes
    end = image.content.segments[-1].end
    if size and not base <= image.content.segments[0].address < end <= base + size:
        first = image.content.segments[0].address
        return _refused(
            board,
            part,
            "IMAGE_TOO_LARGE",
            f"{image.title} occupies {first:#x}..{end:#x}; the flash of {board.board_id} is "
            f"{base:#x}..{base + size:#x}",
            f"build it for {part}",
        )
    lacks = lacking(image.content.memory, bounds) if bounds else ""
    if lacks:
        return _refused(
            board,
            part,
            "IMAGE_TOO_LARGE",
            f"{image.title} does not fit {board.board_id}: {lacks}",
            f"build it for {part}",
        )
    return BoardDeployment(
        board=board.name,
        part=part,
        wave=1,
        image=image.title,
        image_sha256=image.content.sha256,
    )


def _refused(board: Board, part: str, reason: str, message: str, action: str) -> BoardDeployment:
    return BoardDeployment(
        board=board.name,
        part=part,
        wave=0,
        state=State.DONE,
        outcome=Outcome.REFUSED,
        reason=reason,
        message=message,
        next_action=action,
    )


def counts_of(boards: Sequence[BoardDeployment]) -> DeploymentCounts:
    """Boards by how they ended."""
    ended = [board for board in boards if board.state.ended]

    def having(outcome: Outcome) -> int:
        return sum(board.outcome is outcome for board in ended)

    return DeploymentCounts(
        boards=len(boards),
        passed=having(Outcome.PASSED),
        failed=having(Outcome.FAILED),
        broken=having(Outcome.BROKEN),
        refused=having(Outcome.REFUSED),
        skipped=sum(board.outcome in (None, Outcome.SKIPPED) for board in ended),
    )


def summary_of(boards: Sequence[BoardDeployment]) -> str:
    """`6 of 8 boards passed; 1 BROKEN, 1 REFUSED`."""
    counts = counts_of(boards)
    rest = [
        f"{number} {word}"
        for number, word in (
            (counts.failed, "FAILED"),
            (counts.broken, "BROKEN"),
            (counts.refused, "REFUSED"),
            (counts.skipped, "SKIPPED"),
        )
        if number
    ]
    text = f"{counts.passed} of {counts.boards} boards passed"
    return f"{text}; {', '.join(rest)}" if rest else text


_CABLE = "check cable and power of the board, then flash it again"
_WORN = "flash it again; if it stays, the flash is worn or the wiring is bad"
_DOCTOR = "run `benchline agent doctor` on the lab PC, then flash it again"
_HELD = "close the program that holds it (`benchline agent doctor` names it), then flash it again"
_NEXT_ACTIONS = {
    "AGENT_SILENT": "look at the agent's log on the lab PC, then flash it again",
    "BOARD_AWAY": "start its agent or plug it in, then flash it again",
    "BOARD_BUSY": "wait for its holder, or end the lease (`benchline lease list`); flash it again",
    "BOARD_QUARANTINED": "`benchline boards health` tells why; mend that, "
    "`benchline boards recover` or `return` it, then flash it again",
    "BOARD_UNUSABLE": "look at its health (`benchline boards`), mend that, then flash it again",
    "CANCELLED": "flash it again when you want it",
    "INTERRUPTED": "flash it again; its flash holds an unknown image until then",
    "NO_SYNC": "hold its BOOT button while it is reset, or check the cable, then flash it again",
    "PART_MISMATCH": "the board is another part than the image is for; check what is plugged in",
    "PORT_BUSY": _HELD,
    "PROBE_BUSY": _HELD,
    "PROBE_LOST": _CABLE,
    "PROBE_NOT_FOUND": _CABLE,
    "READ_BACK_MISMATCH": _WORN,
    "STALE_LEASE": "somebody else took the board meanwhile; flash it again",
    "STOPPED": "mend the boards that did not pass, then flash it again",
    "TARGET_LOCKED": "the chip is protected; lift that on purpose (erases the chip), flash again",
    "TARGET_MISMATCH": "another chip answered than the image is for; check what is plugged in",
    "TARGET_SILENT": _CABLE,
    "TOOL_CRASHED": _DOCTOR,
    "TOOL_HUNG": _DOCTOR,
    "TOOL_MISSING": _DOCTOR,
    "UNKNOWN_BOARD": _CABLE,
    "VERIFY_FAILED": _WORN,
    "WRITE_FAILED": _WORN,
}


def next_action(outcome: Outcome | None, reason: str, *, scenario: str = "") -> str:
    """What to do about a board that did not pass; "" when there is nothing to do."""
    if outcome is Outcome.FAILED:
        return f"the firmware is wrong: read why {scenario} failed, mend it, flash again"
    if reason in _NEXT_ACTIONS:
        return _NEXT_ACTIONS[reason]
    if outcome is Outcome.REFUSED:
        return "the tool refused before the first erase; mend what it says, then flash again"
    if outcome is Outcome.BROKEN:
        return "the lab is at fault, not the firmware: mend what it says, then flash again"
    return ""
