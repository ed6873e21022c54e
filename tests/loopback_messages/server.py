"""The server: HTTP/1.1 over asyncio streams, one request a connection."""

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.loopback_messages.messages import error_body, message_body, stream_events
from tests.loopback_messages.script import Rule, Script

_LARGEST_BODY = 32 * 1024 * 1024
_REASONS = {200: "OK", 404: "Not Found", 429: "Too Many Requests"}


@dataclass(frozen=True)
class Recorded:
    """One request as it came; `finished` is False when the client went before the answer's end."""

    number: int
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    text: str
    finished: list[bool] = field(default_factory=list)


class LoopbackMessages:
    """Serves a script until it is left; `requests` are those of /v1/messages in their order."""

    def __init__(self, script: Script, *, port: int = 0, record: Path | None = None) -> None:
        self.script = script
        self.requests: list[Recorded] = []
        self.counted: list[Recorded] = []
        self.arrived = asyncio.Event()
        self._port = port
        self._record = record
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "LoopbackMessages":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def base_url(self) -> str:
        """Where the service is."""
        return f"http://127.0.0.1:{self._port}"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._one(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        _, path, _ = head[0].split(" ", 2)
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        length = int(headers.get("content-length", "0"))
        if length > _LARGEST_BODY:
            await _plain(writer, 413, error_body("request_too_large", "too large"), "too-large")
            return
        text = (await reader.readexactly(length)).decode("utf-8", "replace")
        path = path.partition("?")[0]
        if path == "/v1/messages/count_tokens":
            self._note(self.counted, path, headers, text)
            await _plain(writer, 200, {"input_tokens": self.script.count_tokens}, "count")
        elif path == "/v1/messages":
            await self._messages(writer, path, headers, text)
        else:
            await _plain(writer, 404, error_body("not_found_error", path), "no-such-path")

    def _note(
        self, into: list[Recorded], path: str, headers: dict[str, str], text: str
    ) -> Recorded:
        try:
            body = json.loads(text)
        except ValueError:
            body = {}
        recorded = Recorded(len(into) + 1, path, headers, body, text)
        into.append(recorded)
        if self._record is not None:
            told = {k: v for k, v in headers.items() if k != "authorization"}
            line = {"number": recorded.number, "path": path, "headers": told, "body": body}
            with self._record.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
        return recorded

    async def _messages(
        self, writer: asyncio.StreamWriter, path: str, headers: dict[str, str], text: str
    ) -> None:
        recorded = self._note(self.requests, path, headers, text)
        self.arrived.set()
        request_id = f"req_loopback_{recorded.number}"
        rule = self.script.take(recorded.number, text)
        if rule is None:
            message = f"the script has no answer for request {recorded.number}"
            await _plain(writer, 400, error_body("invalid_request_error", message), request_id)
        elif rule.fault and await _early_fault(writer, rule.fault, request_id):
            return
        elif recorded.body.get("stream"):
            await _stream(writer, rule, recorded, request_id)
        else:
            body = message_body(rule.reply, recorded.body, recorded.number)
            await _plain(writer, 200, body, request_id)
        recorded.finished.append(True)


async def _early_fault(writer: asyncio.StreamWriter, fault: dict[str, Any], rid: str) -> bool:
    """Carry out a fault that needs no stream; False when it happens inside one."""
    if "hang_s" in fault:
        await asyncio.sleep(float(fault["hang_s"]))
        return True
    if fault.get("drop"):
        writer.transport.abort()
        return True
    if fault.get("non_json"):
        await _raw(writer, 200, b"<html>It works!</html>", "text/html", rid, {})
        return True
    if "status" not in fault:
        return False
    status, headers = int(fault["status"]), dict(fault.get("headers") or {})
    if fault.get("html"):
        await _raw(writer, status, b"<html>Bad gateway</html>", "text/html", rid, headers)
        return True
    body = error_body(fault.get("type", "api_error"), fault.get("message", "scripted"))
    data = json.dumps(body | {"request_id": rid}).encode()
    await _raw(writer, status, data, "application/json", rid, headers)
    return True


async def _plain(
    writer: asyncio.StreamWriter, status: int, body: dict[str, Any], request_id: str
) -> None:
    await _raw(writer, status, json.dumps(body).encode(), "application/json", request_id, {})


async def _raw(
    writer: asyncio.StreamWriter,
    status: int,
    data: bytes,
    kind: str,
    request_id: str,
    headers: dict[str, str],
) -> None:
    lines = [
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Scripted')}",
        f"content-type: {kind}",
        f"content-length: {len(data)}",
        f"request-id: {request_id}",
        "connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
    await writer.drain()


async def _stream(
    writer: asyncio.StreamWriter, rule: Rule, recorded: Recorded, request_id: str
) -> None:
    head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n"
    writer.write(f"{head}request-id: {request_id}\r\nconnection: close\r\n\r\n".encode())
    reply = rule.reply or {"text": '{"half": "of an answer that goes on and on"}'}
    events = stream_events(reply, recorded.body, recorded.number)
    middle = max(2, len(events) // 2)
    fault = rule.fault
    for index, (name, data) in enumerate(events):
        if fault and index == middle and await _break(writer, fault):
            return
        if fault.get("no_end") and name == "message_delta":
            break
        await _event(writer, name, json.dumps(data, ensure_ascii=False))
        if reply.get("slow_ms"):
            await asyncio.sleep(reply["slow_ms"] / 1000)
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _break(writer: asyncio.StreamWriter, fault: dict[str, Any]) -> bool:
    """A fault in the middle of a stream; True when the stream is over."""
    if "sse_error" in fault:
        body = error_body(fault["sse_error"], fault.get("message", "scripted"))
        await _event(writer, "error", json.dumps(body))
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True
    if fault.get("cut"):
        await writer.drain()
        writer.close()
        return True
    if fault.get("bad_event"):
        await _event(writer, "content_block_delta", "{no json")
    return False


async def _event(writer: asyncio.StreamWriter, name: str, data: str) -> None:
    chunk = f"event: {name}\ndata: {data}\n\n".encode()
    writer.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
    await writer.drain()
