"""Power switches that are asked over HTTP: sockets and relays with a small web server."""

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from benchagent.power.protocol import OFF_S, PowerError, PowerState, cycle

ANSWER_S = 10.0
_MOST_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSwitch:
    """GET or POST of exactly the configured addresses: no redirect is followed, no proxy of the
    environment is used, and what comes back is not read beyond its status."""

    on: str
    off: str
    cycle: str = ""
    """Off, a moment and on when it is left out."""
    method: str = "GET"
    off_s: float = OFF_S
    answer_s: float = ANSWER_S

    def __post_init__(self) -> None:
        """Raises ValueError: not an address or a method that is asked for here."""
        for address in filter(None, (self.on, self.off, self.cycle)):
            _parts(address)
        if self.method not in ("GET", "POST"):
            raise ValueError(f"method = {self.method!r} is neither GET nor POST")

    @property
    def words(self) -> str:
        """What it is, for people; without what a query may hold."""
        parts = _parts(self.on)
        return f"{parts.scheme}://{parts.hostname} ({self.method})"

    async def switch(self, state: PowerState) -> None:
        """Do it. Raises PowerError."""
        match state:
            case PowerState.ON:
                await self._ask(self.on)
            case PowerState.OFF:
                await self._ask(self.off)
            case PowerState.CYCLE if self.cycle:
                await self._ask(self.cycle)
            case PowerState.CYCLE:
                await cycle(self, self.off_s)

    async def _ask(self, address: str) -> None:
        parts = _parts(address)
        where = f"{parts.scheme}://{parts.netloc}{parts.path}"
        try:
            async with asyncio.timeout(self.answer_s):
                status = await _status(parts, self.method)
        except TimeoutError as error:
            raise PowerError(f"{where} did not answer in {self.answer_s:g} s") from error
        except (OSError, ValueError) as error:
            raise PowerError(f"{where}: {error}") from error
        if not 200 <= status < 300:
            raise PowerError(f"{where} answered {status}")


async def _status(parts: SplitResult, method: str) -> int:
    """The status of one request. Raises OSError or ValueError."""
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    reader, writer = await asyncio.open_connection(
        parts.hostname,
        port,
        ssl=ssl.create_default_context() if secure else None,
        limit=_MOST_BYTES,
    )
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        head = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close"]
        head += ["Content-Length: 0"] if method == "POST" else []
        writer.write(("\r\n".join(head) + "\r\n\r\n").encode("ascii"))
        await writer.drain()
        words = (await reader.readline()).split()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise ValueError("not an answer of HTTP")
    return int(words[1])


def _parts(address: str) -> SplitResult:
    """The parts of an address. Raises ValueError."""
    plain = address.isascii() and address.isprintable() and " " not in address
    parts = urlsplit(address)
    if not plain or parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment:
        raise ValueError(f"{address!r} is no address, e.g. http://192.0.2.7/relay/0?turn=on")
    if "@" in parts.netloc:
        raise ValueError("a name and a password in an address are not sent; use a command")
    _ = parts.port  # raises ValueError for what is no number
    return parts
