"""Enrols boards: asks a chip who it is, once, and writes the answer into the boards file.

Asking resets a board, so it is done when an operator says so, and what a flash learns on its way is
kept too. Nothing else ever asks a chip.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from benchagent.board import Board, Chip
from benchagent.discovery.book import BoardBook
from benchagent.discovery.physical import Nodes, physical_board
from benchagent.discovery.record import Record, Records, Seen, Told, learn, rename
from benchagent.flashers.protocol import FlasherError, TargetIdentity
from benchline.names import BOARD_ID

log = logging.getLogger(__name__)

IDENTIFY_S = 60.0

Identify = Callable[[Board], Awaitable[TargetIdentity]]
"""Asks a board's chip who it is. Raises FlasherError."""


class EnrolError(Exception):
    """It was not done; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the operator says of a board when it is enrolled."""

    part: str = ""
    model: str = ""
    ask: bool = True
    """Ask the chip; else `part` is believed."""


def never_busy(_board: str) -> bool:
    """No commands run where no agent does."""
    return False


async def unheard() -> None:
    """Nobody looks at boards where no agent runs."""


@dataclass(slots=True, kw_only=True)
class Enrolment:
    """What an operator does with the boards of a PC.

    `seen` gives what is on USB, `identify` asks a chip and starts its firmware again, `is_busy`
    tells whether commands run on a board or wait for it, and `on_change` is awaited when the
    boards file changed.
    """

    book: BoardBook
    nodes: Nodes
    seen: Callable[[], list[Seen]]
    identify: Identify
    is_busy: Callable[[str], bool] = never_busy
    on_change: Callable[[], Awaitable[None]] = unheard

    async def enrol(self, board_id: str, wish: Wish) -> Record:
        """Ask the chip of a board who it is. Gives the board that it proved to be.

        Raises:
            EnrolError: it is not here, in use, cannot be asked, or is not what was said.
        """
        seen = self._present(board_id)
        board = physical_board(seen, self.nodes)
        if not seen.finds[0].row.usable:
            raise EnrolError(board.health)
        self._refuse_busy(board_id)
        if wish.ask:
            identity = await self._identify(board)
            told = told_by(identity, part=_agreed_part(identity, wish.part), now=_now())
        elif not wish.part:
            raise EnrolError("say which part it has (--part) when its chip is not to be asked")
        else:
            return await self._believe(board_id, wish)
        return await self._write(board_id, told, model=wish.model, enrols=True)

    async def learned(self, board_id: str, identity: TargetIdentity) -> None:
        """A flash asked the chip on its way: keep what it said."""
        if not any(seen.record.board_id == board_id for seen in self.seen()):
            return
        known = {seen.record.board_id: seen.record for seen in self.seen()}[board_id]
        part = identity.part or known.part
        told = told_by(identity, part=part, now=_now())
        if known.chip is not None and _same(known.chip, told.chip):
            return
        try:
            await self._write(board_id, told, model="", enrols=False)
        except (EnrolError, OSError) as error:
            log.warning("chip not kept", extra={"board": board_id, "why": str(error)})

    async def name(self, board_id: str, name: str) -> None:
        """Give a board a name of the operator's. Raises EnrolError."""
        if not BOARD_ID.fullmatch(name):
            raise EnrolError(
                f"{name!r} is no name: lower-case letters, digits, - and _, 63 at most"
            )
        self._refuse_busy(board_id)
        await self._change(board_id, lambda records: rename(records, board_id, name))

    async def ignore(self, board_id: str, *, ignored: bool) -> None:
        """List a device no more, or again. Raises EnrolError."""
        self._refuse_busy(board_id)
        await self._change(
            board_id,
            lambda records: records | {board_id: replace(records[board_id], ignored=ignored)},
        )

    async def forget(self, board_id: str) -> None:
        """Forget name, chip and part of a board. Raises EnrolError."""
        self._refuse_busy(board_id)
        await self._change(
            board_id, lambda records: {key: one for key, one in records.items() if key != board_id}
        )

    async def _believe(self, board_id: str, wish: Wish) -> Record:
        def change(records: dict[str, Record]) -> dict[str, Record]:
            known = records[board_id]
            believed = replace(
                known,
                part=wish.part,
                family=family_of(wish.part),
                model=wish.model or known.model,
                enrolled_time=_now(),
                ignored=False,
            )
            return records | {board_id: believed}

        await self._change(board_id, change)
        return self.book.read()[board_id]

    async def _change(
        self, board_id: str, change: Callable[[dict[str, Record]], dict[str, Record]]
    ) -> None:
        try:
            self.book.change(change)
        except KeyError as error:
            raise EnrolError(_unknown(board_id)) from error
        except ValueError as error:
            raise EnrolError(str(error)) from error
        await self.on_change()

    def _present(self, board_id: str) -> Seen:
        for seen in self.seen():
            if seen.record.board_id == board_id:
                return seen
        raise EnrolError(_unknown(board_id))

    def _refuse_busy(self, board_id: str) -> None:
        if self.is_busy(board_id):
            raise EnrolError(f"commands run on {board_id}; wait until they are over")

    async def _identify(self, board: Board) -> TargetIdentity:
        try:
            async with asyncio.timeout(IDENTIFY_S):
                return await self.identify(board)
        except FlasherError as error:
            raise EnrolError(f"{board.board_id} cannot be asked: {error}") from error
        except TimeoutError as error:
            message = f"{board.board_id} did not answer within {IDENTIFY_S:.0f} s"
            raise EnrolError(message) from error

    async def _write(self, board_id: str, told: Told, *, model: str, enrols: bool) -> Record:
        present = frozenset(key for seen in self.seen() for key in seen.record.keys)
        keys = self._present(board_id).record.keys
        found: list[Record] = []

        def change(records: dict[str, Record]) -> dict[str, Record]:
            after = learn(records, board_id, told, present=present)
            record = _owner(after, keys)
            record = replace(
                record,
                model=model or record.model,
                enrolled_time=_now() if enrols else record.enrolled_time,
                ignored=record.ignored and not enrols,
            )
            found.append(record)
            return after | {record.board_id: record}

        try:
            await asyncio.to_thread(self.book.change, change)
        except KeyError as error:
            raise EnrolError(_unknown(board_id)) from error
        await self.on_change()
        log.info(
            "chip known",
            extra={"board": found[0].board_id, "part": told.part, "chip": told.chip.name},
        )
        return found[0]


def told_by(identity: TargetIdentity, *, part: str, now: datetime) -> Told:
    """What a chip said, as it is kept."""
    family = family_of(part) or ("esp32" if ":" in identity.device_uid else "stm32")
    number = identity.revision_id
    is_esp = family == "esp32"
    chip = Chip(
        name=identity.chip or part,
        revision=f"v{number // 100}.{number % 100}" if is_esp else f"{number:#06x}",
        identity=identity.device_uid,
        flash_bytes=identity.flash_kib * 1024,
        features=identity.features,
        protections=identity.protections,
        read_time=now,
    )
    return Told(chip=chip, part=part, family=family)


def family_of(part: str) -> str:
    """Family of a part by its name; empty when it is none that is known."""
    return next((family for family in ("esp32", "stm32") if part.startswith(family)), "")


def _agreed_part(identity: TargetIdentity, wished: str) -> str:
    """The part that chip and operator agree on. Raises EnrolError."""
    candidates = identity.candidates or ((identity.part,) if identity.part else ())
    if wished and candidates and wished not in candidates:
        raise EnrolError(f"the chip is {' or '.join(candidates)}, not {wished}")
    if wished or identity.part:
        return wished or identity.part
    if candidates:
        raise EnrolError(
            f"the chip is one of {', '.join(candidates)}, which look alike to the tool: "
            f"add --part, e.g. --part {candidates[0]}"
        )
    told = identity.chip or f"device id {identity.device_id:#x}"
    raise EnrolError(f"no part is known for this chip ({told}); name one with --part")


def _owner(records: Records, keys: tuple[str, ...]) -> Record:
    return next(record for record in records.values() if set(keys) & set(record.keys))


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _same(known: Chip, told: Chip) -> bool:
    return replace(known, read_time=None) == replace(told, read_time=None)


def _unknown(board_id: str) -> str:
    return f"no board {board_id} here; `benchline agent boards` lists them"
