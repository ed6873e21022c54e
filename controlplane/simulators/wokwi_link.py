"""One connection to Wokwi's simulation service, through its own client.

Imported only once a token is configured and a run goes to the service. The client's receiving task
ends with the first message that it cannot use, an error response included; then so does this link.
All that the service sends is taken as hostile.
"""

import asyncio
import contextlib
import re
import warnings
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Self

import websockets
from wokwi_client.exceptions import WokwiError
from wokwi_client.transport import Transport

CONNECT_SECONDS = 20.0
ANSWER_SECONDS = 30.0
CLOSE_SECONDS = 2.0
MESSAGE_BYTES = 4 << 20
"""Largest message taken; the client itself would take 512 MiB, for files that are not asked for."""

_DETAIL = 200
_UNAUTHORISED = frozenset({401, 403})
_TOO_MANY = 429
_TOKEN_WORDS = re.compile(r"unauthori[sz]ed|forbidden|\btoken\b|authenticat", re.IGNORECASE)
_QUOTA_WORDS = re.compile(r"quota|limit|minutes|credits|subscription|too many", re.IGNORECASE)

Listener = Callable[[Mapping[str, Any]], None]


class ServiceError(Exception):
    """The service, or the way to it, is at fault; `fix` says what to do."""

    def __init__(self, what: str, fix: str, *, silent: bool = False) -> None:
        super().__init__(what)
        self.fix = fix
        self.silent = silent


class _Wire(Transport):  # type: ignore[misc]  # the client is not annotated
    """The client's transport, with a bound on messages and a view on its receiving task."""

    async def connect(self, throw_error: bool = True) -> dict[str, Any]:
        hello = await super().connect(throw_error)
        if self._ws is not None:
            self._ws.max_size = MESSAGE_BYTES
        return dict(hello)

    @property
    def receiving(self) -> "asyncio.Task[None]":
        """Ends when nothing more is received."""
        task: asyncio.Task[None] | None = self._recv_task
        if task is None:
            raise RuntimeError("not connected")
        return task

    def cut(self) -> None:
        """Let go of the connection at once."""
        transport = getattr(self._ws, "transport", None)
        if transport is not None:
            transport.abort()


class WokwiLink:
    """An open connection; leaving the block closes it, whatever the service does."""

    def __init__(self, server: str, token: str) -> None:
        self.server = server
        self.version = ""
        self._wire = _Wire(token, server)

    async def __aenter__(self) -> Self:
        """Connect and read the service's greeting.

        Raises:
            ServiceError: unreachable, it refuses the token, or it does not speak the protocol.
        """
        # What the client only warns of ends its receiving task, which is looked at.
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"wokwi_client\.")
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                greeting = await self._wire.connect()
        except Exception as error:  # the client raises whatever it stumbles over
            await self._close()
            raise self._as_service_error(error, "greeting it") from error
        except BaseException:
            await self._close()
            raise
        self.version = _plain(greeting.get("version"), 40) or "unknown"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connection, with a bound on how long that may take."""
        await self._close()

    @property
    def receiving(self) -> "asyncio.Task[None]":
        """Ends when the connection is lost or a message cannot be used."""
        return self._wire.receiving

    @property
    def wire(self) -> Transport:
        """What the client's commands are given."""
        return self._wire

    def listen(self, event: str, listener: Listener) -> None:
        """Have each event of this kind told; an exception of the listener ends the link."""
        self._wire.add_event_listener(event, listener)

    async def ask(self, what: str, request: Coroutine[Any, Any, Any]) -> None:
        """Send one command and wait until it is answered; `what` is for messages.

        Raises:
            ServiceError: it is refused, or not answered, or the link ends.
        """
        asking: asyncio.Task[Any] = asyncio.ensure_future(request)
        try:
            await asyncio.wait(
                {asking, self.receiving},
                timeout=ANSWER_SECONDS,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if asking.done() and (error := asking.exception()) is not None:
                raise self._as_service_error(error, what)
            if not asking.done():
                self.demand_open(what)
                raise ServiceError(
                    f"did not answer within {ANSWER_SECONDS:g} s ({what})",
                    self._look(),
                    silent=True,
                )
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    def demand_open(self, what: str) -> None:
        """Raise ServiceError when nothing more can be received."""
        if not self.receiving.done():
            return
        error = None if self.receiving.cancelled() else self.receiving.exception()
        if error is None:
            raise ServiceError(f"closed the connection ({what})", self._look())
        raise self._as_service_error(error, what)

    def _look(self) -> str:
        return f"look at {self.server} and try again"

    def _as_service_error(self, error: BaseException, what: str) -> ServiceError:
        if isinstance(error, ServiceError):
            return error
        if isinstance(error, websockets.exceptions.InvalidStatusCode):
            return self._refusal(
                f"answered with HTTP status {error.status_code}", error.status_code
            )
        if isinstance(error, websockets.exceptions.ConnectionClosed):
            return ServiceError(f"closed the connection ({what})", self._look())
        if isinstance(error, TimeoutError):
            said = f"did not answer within {CONNECT_SECONDS:g} s ({what})"
            return ServiceError(said, self._look(), silent=True)
        if isinstance(error, OSError):
            return ServiceError(f"cannot be reached ({_plain(str(error), _DETAIL)})", self._look())
        words = _plain(str(error), _DETAIL) or type(error).__name__
        if isinstance(error, WokwiError) and words.startswith("Server error"):
            return self._refusal(f"refused {what}: {words}", 0, words)
        fix = f"see whether {self.server} is Wokwi's service, and renew wokwi-client"
        return ServiceError(f"does not speak its protocol ({what}: {words})", fix)

    def _refusal(self, what: str, status: int, words: str = "") -> ServiceError:
        if status in _UNAUTHORISED or _TOKEN_WORDS.search(words):
            fix = "get a token at https://wokwi.com/dashboard/ci and set WOKWI_CLI_TOKEN to it"
        elif status == _TOO_MANY or _QUOTA_WORDS.search(words):
            fix = "see what is left of the quota at https://wokwi.com/dashboard/ci"
        else:
            fix = self._look()
        return ServiceError(what, fix)

    async def _close(self) -> None:
        closing: Awaitable[None] = self._wire.close()
        # The client's close raises again what its receiving task ended with.
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_SECONDS):
                await closing
        self._wire.cut()


def _plain(value: object, most: int) -> str:
    """A foreign text as one short printable line."""
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return "".join(c if c.isprintable() else " " for c in text[: 4 * most])[:most].strip()
