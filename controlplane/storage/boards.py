"""Agents and boards: what was last heard of each bench.

An agent is online when it is linked to this very process: a restart makes all of them offline
until they call again, and no clean-up is needed for that.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from benchline.errors import InvalidRequestError, NotFoundError
from benchline.names import board_name
from controlplane.domain.bench import Agent, Board, BoardCloud, BoardKind, BoardState
from controlplane.domain.health import Quarantine
from controlplane.planning.health import NEUTRAL, SETTLES_BY_ONE_IN
from controlplane.planning.leases import Selector, SelectorError, parse_selector
from controlplane.storage.bell import Bell
from controlplane.storage.codec import from_json, to_json
from controlplane.storage.database import Database, Transaction
from controlplane.storage.instants import from_us, to_us, utc_now

_ALL = "boards"
# What `present` says: left is missing, and not expected back.
_MISSING, _PRESENT, _LEFT = 0, 1, 2
_SETTLE_US = SETTLES_BY_ONE_IN // timedelta(microseconds=1)
# The score as `planning.health.settled` gives it at the moment that is bound to ?.
_SCORE = f"""
CASE WHEN b.score < {NEUTRAL}
     THEN MIN({NEUTRAL}, b.score + MAX(0, (?1 - b.score_us) / {_SETTLE_US}))
     ELSE MAX({NEUTRAL}, b.score - MAX(0, (?1 - b.score_us) / {_SETTLE_US})) END
"""
_VIEW = f"""
SELECT b.name, b.body, b.present, b.usable, b.lease, b.proven_image_sha256, b.last_seen_us,
       a.online_boot_id, l.holder, c.epoch, c.head, {_SCORE} AS score_now, b.quarantine,
       k.stack, k.device
FROM boards b
JOIN agents a ON a.agent = b.agent
LEFT JOIN leases l ON l.name = b.lease
LEFT JOIN consoles c ON c.console = 'consoles/' || b.name
LEFT JOIN cloud_bindings k ON k.board = b.name AND k.active = 1
"""  # noqa: S608 - words of our own


class BoardStore:
    """Benches as the control plane knows them, with a version that rises at every change."""

    def __init__(self, database: Database, *, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._now = now
        self._bell = Bell()
        self._seen: dict[str, datetime] = {}
        self._recovering: dict[str, str] = {}
        self._gateways: dict[str, BoardCloud] = {}
        # Milliseconds since 1970 at start, so that it also rises over restarts.
        self._version = to_us(now()) // 1000

    @property
    def version(self) -> int:
        """Rises with every change of an agent, a board or a lease."""
        return self._version

    async def link_agent(self, agent: str, *, version: str, host: str) -> int:
        """An agent called: it is online; its link epoch, one more than at its last call."""
        now_us = to_us(self._now())

        def work(tx: Transaction) -> int:
            row = tx.connection.execute(
                "INSERT INTO agents"
                " (agent, version, host, online_boot_id, link_epoch, last_seen_us)"
                " VALUES (?, ?, ?, ?, 1, ?) ON CONFLICT DO UPDATE SET"
                " version = excluded.version, host = excluded.host,"
                " online_boot_id = excluded.online_boot_id, link_epoch = link_epoch + 1,"
                " last_seen_us = excluded.last_seen_us RETURNING link_epoch",
                (agent, version, host, self._database.boot_id, now_us),
            ).fetchone()
            self.changed(tx)
            return int(row[0])

        return await self._database.transact(work)

    async def unlink_agent(self, agent: str, link_epoch: int) -> None:
        """A link ended: the agent is offline, unless a newer link is open."""
        seen_us = to_us(self._seen.pop(agent, self._now()))

        def work(tx: Transaction) -> None:
            tx.connection.execute(
                "UPDATE agents SET online_boot_id = '', last_seen_us = ?"
                " WHERE agent = ? AND link_epoch = ?",
                (seen_us, agent, link_epoch),
            )
            self.changed(tx)

        await self._database.transact(work)

    def touch(self, agent: str) -> None:
        """A sign of life. Kept in memory while the link is open, stored when it ends."""
        self._seen[agent] = self._now()

    async def put_inventory(
        self, agent: str, boards: Sequence[Board], left: Sequence[str] = ()
    ) -> None:
        """The boards of an agent as they are now; the ones that are missing are offline.

        `left` are ids of virtual boards that were ended on purpose: they are listed no more until
        they come back. What is known of them stays.

        State, lease, holder, proven image and console position of `boards` are not looked at,
        except that a board in state FAULTY or OFFLINE is not lent.

        Raises:
            NotFoundError: AGENT_NOT_FOUND, the agent never called.
        """
        now_us = to_us(self._now())

        def work(tx: Transaction) -> None:
            known = tx.connection.execute("SELECT 1 FROM agents WHERE agent = ?", (agent,))
            if known.fetchone() is None:
                raise NotFoundError("AGENT_NOT_FOUND", f"there is no agent {agent}", agent=agent)
            tx.connection.execute(
                "UPDATE boards SET present = ? WHERE agent = ? AND present = ?",
                (_MISSING, agent, _PRESENT),
            )
            tx.connection.executemany(
                "INSERT INTO boards (name, agent, board_id, model, part, kind, present, usable,"
                " lease, fencing_token, proven_image_sha256, last_seen_us, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, '', 0, '', ?, ?) ON CONFLICT DO UPDATE SET"
                " model = excluded.model, part = excluded.part, kind = excluded.kind,"
                " present = excluded.present, usable = excluded.usable,"
                " last_seen_us = excluded.last_seen_us, body = excluded.body",
                [_board_row(agent, board, now_us) for board in boards],
            )
            tx.connection.executemany(
                "UPDATE boards SET present = ?"
                " WHERE name = ? AND agent = ? AND kind = ? AND present = ?",
                [
                    (_LEFT, board_name(agent, one), agent, BoardKind.VIRTUAL, _MISSING)
                    for one in left
                ],
            )
            self.changed(tx)

        await self._database.transact(work)

    async def set_proven_image(self, board: str, sha256: str) -> None:
        """Remember the image that was proved on a board; "" when its flash is not known."""
        await self._database.transact(lambda tx: self.set_proven_image_in(tx, board, sha256))

    def set_proven_image_in(self, tx: Transaction, board: str, sha256: str) -> None:
        """What :meth:`set_proven_image` does, inside a transaction of the caller."""
        tx.connection.execute(
            "UPDATE boards SET proven_image_sha256 = ? WHERE name = ?", (sha256, board)
        )
        self.changed(tx)

    async def agents(self) -> list[Agent]:
        """Every agent that ever called, by name."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                "SELECT agent, version, host, online_boot_id, last_seen_us FROM agents"
                " ORDER BY agent"
            ).fetchall()
        )
        return [
            Agent(
                name=f"agents/{agent}",
                version=version,
                host=host,
                online=boot_id == self._database.boot_id,
                last_seen_time=self._seen.get(agent, from_us(last_seen_us)),
            )
            for agent, version, host, boot_id, last_seen_us in rows
        ]

    async def boards(self, selector: str = "") -> list[Board]:
        """Boards that a selector accepts, by name, in whatever state, without those that left.

        Raises:
            InvalidRequestError: INVALID_SELECTOR.
        """
        demands = _demands(read_selector(selector))
        # One that is still lent is listed with its holder, whatever became of it.
        demands.append((f"(b.present != {_LEFT} OR b.lease != '')", []))
        found = await self._database.read(
            lambda connection: self._rows(connection, demands, "b.name", -1)
        )
        return [self._doing(board) for board in found]

    def tell_recovering(self, board: str, words: str) -> None:
        """What is done to bring a board back right now; "" when nothing is."""
        if words:
            self._recovering[board] = words
        else:
            self._recovering.pop(board, None)
        self._raise_version()

    def tell_gateway(self, board: str, cloud: BoardCloud) -> None:
        """How the gateway of a board is; kept in memory, the agent tells it again."""
        self._gateways[board] = cloud
        self._raise_version()

    def forget_gateways(self, agent: str) -> None:
        """An agent is away: how its gateways are is not known."""
        prefix = board_name(agent, "")
        for board in [name for name in self._gateways if name.startswith(prefix)]:
            del self._gateways[board]
        self._raise_version()

    async def get(self, name: str) -> Board:
        """One board by its name, or by the last part of it when only one board has that.

        Raises:
            NotFoundError: BOARD_NOT_FOUND.
            InvalidRequestError: AMBIGUOUS_NAME.
        """
        found = await self._database.read(
            lambda connection: self.select(connection, Selector(name=name))
        )
        exact = [board for board in found if board.name == name]
        if len(found) > 1 and not exact:
            raise InvalidRequestError(
                "AMBIGUOUS_NAME",
                f"several boards are called {name}: {', '.join(b.name for b in found)}",
                name=name,
            )
        if not found:
            raise board_not_found(name)
        return self._doing(self._fresh((exact or found)[0]))

    async def wait(self, after_version: int) -> int:
        """Return the version as soon as it is greater than `after_version`."""
        with self.listen() as rung:
            while self._version <= after_version:
                rung.clear()
                await rung.wait()
        return self._version

    @contextmanager
    def listen(self) -> Iterator[asyncio.Event]:
        """An event that every change sets."""
        with self._bell.listen(_ALL) as event:
            yield event

    def changed(self, tx: Transaction) -> None:
        """Raise the version when `tx` is committed."""
        tx.after_commit(self._raise_version)

    def select(
        self, connection: sqlite3.Connection, selector: Selector, *, limit: int = -1
    ) -> list[Board]:
        """Boards by name. Any thread."""
        demands = _demands(selector)
        return self._rows(connection, demands, "b.name", limit)

    def best_free(
        self, connection: sqlite3.Connection, selector: Selector, *, care: bool = False
    ) -> Board | None:
        """The board that is lent next, as `planning.leases.choose_board` says. Any thread.

        With `care` it is lent to be brought back: also one that is faulty, quarantined or missing.
        """
        demands = _demands(selector)
        demands.append(("b.lease = ''", []))
        demands.append(("a.online_boot_id = ?", [self._database.boot_id]))
        if not care:
            # As the index of free boards says it.
            demands.append(("b.present = 1 AND b.usable = 1 AND b.quarantine = ''", []))
        # Mostly there is one without blame, which is found by name without looking at the others.
        good = [*demands, (f"({_SCORE}) >= {NEUTRAL}", [])]
        found = self._rows(connection, good, "b.name", 1) or self._rows(
            connection, demands, "score_now DESC, b.name", 1
        )
        return found[0] if found else None

    def _rows(
        self,
        connection: sqlite3.Connection,
        demands: list[tuple[str, list[str]]],
        order: str,
        limit: int,
    ) -> list[Board]:
        where = " AND ".join(clause for clause, _ in demands) or "1 = 1"
        values = [to_us(self._now()), *(value for _, chosen in demands for value in chosen)]
        rows = connection.execute(
            f"{_VIEW} WHERE {where} ORDER BY {order} LIMIT ?",
            (*values, limit),
        ).fetchall()
        return [_board(row, self._database.boot_id) for row in rows]

    def _fresh(self, board: Board) -> Board:
        seen = self._seen.get(board.agent_id)
        if seen is None or board.state is BoardState.OFFLINE:
            return board
        return replace(board, last_seen_time=seen)

    def _doing(self, board: Board) -> Board:
        words = self._recovering.get(board.name)
        if words:
            board = replace(board, recovering=words)
        told = self._gateways.get(board.name)
        bound = board.cloud
        if (
            bound is None
            or told is None
            or (told.stack, told.device) != (bound.stack, bound.device)
        ):
            return board
        return replace(board, cloud=told)

    def _raise_version(self) -> None:
        self._version += 1
        self._bell.ring(_ALL)


def _demands(selector: Selector) -> list[tuple[str, list[str]]]:
    """Conditions on a row, each with its values."""
    demands: list[tuple[str, list[str]]] = []
    for column in ("model", "part", "kind"):
        value = getattr(selector, column)
        if value:
            demands.append((f"b.{column} = ?", [value]))
    for field in ("family", "flash_tool"):
        value = getattr(selector, field)
        if value:
            demands.append((f"json_extract(b.body, '$.{field}') = ?", [value]))
    if selector.name:
        column = "name" if "/" in selector.name else "board_id"
        demands.append((f"b.{column} = ?", [selector.name]))
    if selector.word:
        columns = ("name", "board_id", "model", "part")
        either = " OR ".join(f"b.{column} = ?" for column in columns)
        demands.append((f"({either})", [selector.word] * len(columns)))
    return demands


def read_selector(text: str) -> Selector:
    """A selector of a caller.

    Raises:
        InvalidRequestError: INVALID_SELECTOR.
    """
    try:
        return parse_selector(text)
    except SelectorError as error:
        raise InvalidRequestError("INVALID_SELECTOR", str(error), selector=text[:400]) from error


def _board_row(agent: str, board: Board, now_us: int) -> tuple[object, ...]:
    usable = board.state not in (BoardState.FAULTY, BoardState.OFFLINE)
    named = replace(
        board,
        name=board_name(agent, board.board_id),
        state=BoardState.ACTIVE if usable else board.state,
        lease="",
        holder="",
        last_seen_time=None,
        console_epoch=0,
        console_bytes=0,
    )
    return (
        named.name,
        agent,
        named.board_id,
        named.model,
        named.part,
        named.kind.value,
        _PRESENT,
        int(usable),
        now_us,
        to_json(named),
    )


def board_not_found(name: str) -> NotFoundError:
    """BOARD_NOT_FOUND, with the way to those that there are."""
    return NotFoundError(
        "BOARD_NOT_FOUND",
        f"there is no board {name}; `benchline boards` lists them",
        board=name,
    )


# Watchers read whole inventories, in which few rows differ from the last time.
@lru_cache(maxsize=16_384)
def _board(row: tuple[Any, ...], boot_id: str) -> Board:
    name, body, present, usable, lease, proven, seen_us, online_boot_id, holder, *more = row
    epoch, head, score, quarantine, stack, device = more
    inventory = from_json(Board, body)
    state = BoardState.ACTIVE
    if present != _PRESENT or online_boot_id != boot_id:
        state = BoardState.OFFLINE
    elif quarantine:
        state = BoardState.QUARANTINED
    elif not usable:
        state = inventory.state
    elif lease:
        state = BoardState.LEASED
    return replace(
        inventory,
        name=name,
        state=state,
        lease=lease,
        holder=holder or "",
        proven_image_sha256=proven,
        last_seen_time=from_us(seen_us),
        console_epoch=epoch or 0,
        console_bytes=head or 0,
        score=score,
        quarantine=from_json(Quarantine, quarantine) if quarantine else None,
        recovering="",
        cloud=BoardCloud(stack=stack, device=device) if stack else None,
    )
