"""A program that speaks the protocol of Wokwi's service on loopback, with faults on request.

It runs what is uploaded: an ESP32-C3's flash in Benchline's own emulator, whose console and pins it
relays with the simulated time. Firmware for other parts cannot run here; of such an image it plays
the lines that stand in it between `SCRIPT` and `END`, each a time in milliseconds and a text.

    python tests/process/simulators/wokwi_service.py --record requests.jsonl [--fault NAME]

prints its address and serves until it is killed.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import re
import sys
import tempfile
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import websockets
from websockets.legacy.server import WebSocketServerProtocol, serve

TOKEN = "wok_local"
FLASH = 4 << 20
PINS = 22
_LOG = re.compile(
    rb"gpio (\d+) (reset|enable|out|func(\d+)) 0x([0-9a-f]{8})(?: of 0x[0-9a-f]{8})?\n"
)
_SCRIPT = re.compile(rb"SCRIPT\n(.*?)END\n", re.DOTALL)


class Pins:
    """Direction and level of each pin, from the emulator's log."""

    def __init__(self) -> None:
        self.enable = self.out = 0
        self.elsewhere: set[int] = set()
        self.shown: dict[int, tuple[str, bool]] = dict.fromkeys(range(PINS), ("in", False))

    def write(self, register: bytes, pin: bytes, value: int) -> list[tuple[int, str, bool]]:
        """Take a register write; the pins that change, with direction and level."""
        if register == b"reset":
            self.enable = self.out = 0
            self.elsewhere.clear()
        elif register == b"enable":
            self.enable = value
        elif register == b"out":
            self.out = value
        elif value & 0xFF == 0x80:
            self.elsewhere.discard(int(pin))
        else:
            self.elsewhere.add(int(pin))
        changed = []
        for number in range(PINS):
            output = bool(self.enable >> number & 1) and number not in self.elsewhere
            now = ("out", bool(self.out >> number & 1)) if output else ("in", False)
            if now != self.shown[number]:
                self.shown[number] = now
                changed.append((number, *now))
        return changed


class Visit:
    """One connection."""

    def __init__(self, socket: WebSocketServerProtocol, fault: str, record: Path) -> None:
        self.socket = socket
        self.fault = fault
        self.record = record
        self.files: dict[str, bytes] = {}
        self.flash = bytearray(b"\xff") * FLASH
        self.listening = False
        self.pins: set[str] = set()
        self.sent = 0
        self.running: asyncio.Task[None] | None = None

    async def serve(self) -> None:
        if self.fault == "token-message":
            await self.say({"type": "error", "message": "Invalid API token"})
            return
        version = 2 if self.fault == "protocol" else 1
        greeting = {"type": "hello", "protocolVersion": version, "appName": "Local Wokwi"}
        await self.say({**greeting, "appVersion": "1.2.3"})
        try:
            async for message in self.socket:
                await self.obey(json.loads(message))
        finally:
            if self.running is not None:
                self.running.cancel()
                await asyncio.gather(self.running, return_exceptions=True)

    async def obey(self, request: dict[str, Any]) -> None:
        command, params = request["command"], request["params"]
        told = {k: v for k, v in params.items() if k != "binary"}
        with self.record.open("a") as file:
            file.write(json.dumps({"command": command, **told}) + "\n")
        if self.fault == f"mute-{command}":
            return
        if self.fault == f"error-{command}":
            wrong = {"code": 7, "message": "CI minutes quota exceeded"}
            answer = {"command": command, "id": request["id"], "result": wrong, "error": True}
            await self.say({"type": "response", **answer})
            return
        act: Callable[[dict[str, Any]], None] = getattr(
            self, command.replace(":", "_").replace("-", "_")
        )
        act(params)
        answer = {"command": command, "id": request["id"], "result": {}, "error": False}
        await self.say({"type": "response", **answer})

    def file_upload(self, params: dict[str, Any]) -> None:
        is_text = "text" in params
        assert is_text == params["name"].endswith(".json"), "JSON goes as text, all else as bytes"
        data = params["text"].encode() if is_text else base64.b64decode(params["binary"])
        self.files[params["name"]] = data

    def sim_start(self, params: dict[str, Any]) -> None:
        diagram = json.loads(self.files["diagram.json"])
        assert diagram["parts"][0]["id"] == "esp"
        assert params["pause"] is True
        assert params["flashSize"] << 20 == FLASH
        for section in params["firmware"]:
            data = self.files[section["file"]]
            self.flash[section["offset"] : section["offset"] + len(data)] = data

    def serial_monitor_listen(self, _params: dict[str, Any]) -> None:
        self.listening = True

    def pin_listen(self, params: dict[str, Any]) -> None:
        assert params["part"] == "esp"
        self.pins.add(params["pin"])

    def sim_resume(self, params: dict[str, Any]) -> None:
        self.running = asyncio.create_task(self.run(params["pauseAfter"]))

    async def run(self, nanos: int) -> None:
        if self.fault == "silence":
            await asyncio.Event().wait()
        script = _SCRIPT.search(self.flash)
        if script is not None:
            for line in script[1].decode().splitlines():
                at_ms, _, text = line.partition(" ")
                await self.console(f"{text}\r\n".encode(), int(at_ms) * 1_000_000)
        else:
            await self.emulate(nanos)
        await self.tell("sim:pause", {}, nanos)

    async def emulate(self, nanos: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            flash, log = Path(folder) / "flash.bin", Path(folder) / "log"
            flash.write_bytes(self.flash)
            log.touch()
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "benchline.emulator.esp32c3", "--flash", str(flash)),
                *("--log", str(log), "--max-ms", str(nanos // 1_000_000)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            assert child.stdout is not None
            try:
                with log.open("rb") as written:
                    await self.relay(child.stdout, written)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
                await child.wait()

    async def relay(self, console: asyncio.StreamReader, log: Any) -> None:
        pins, rest, now = Pins(), b"", 0
        while True:
            piece = await console.read(512)
            # The log is written before the console bytes that follow it.
            lines = rest + log.read()
            whole = lines.rfind(b"\n") + 1
            rest = lines[whole:]
            for found in _LOG.finditer(lines[:whole]):
                now = int(found[1]) * 1000
                for number, direction, level in pins.write(found[2], found[3], int(found[4], 16)):
                    await self.pin(number, direction, level, now)
            if not piece:
                return
            await self.console(piece, now)

    async def pin(self, number: int, direction: str, level: bool, nanos: int) -> None:
        if str(number) not in self.pins or self.fault == "deaf-pins":
            return
        state = {"part": "esp", "pin": str(number), "direction": direction, "value": level}
        await self.tell("pin:change", {**state, "pullUp": False, "pullDown": False}, nanos)

    async def console(self, data: bytes, nanos: int) -> None:
        if not self.listening:
            return
        self.sent += len(data)
        await self.tell("serial-monitor:data", {"bytes": list(data)}, nanos)
        if self.sent < 100:
            return
        match self.fault:
            case "disconnect":
                self.socket.transport.abort()
            case "garbage":
                await self.socket.send("\x00{no json")
            case "no-bytes":
                await self.tell("serial-monitor:data", {"bytes": ["x", 999]}, nanos)
            case "no-time":
                await self.say({"type": "event", "event": "serial-monitor:data", "payload": {}})
            case "huge":
                await self.socket.send(json.dumps({"type": "x", "fill": "x" * (5 << 20)}))
            case "flood":
                while True:
                    await self.tell("serial-monitor:data", {"bytes": [120] * 65536}, nanos)
            case "error-message":
                await self.say({"type": "error", "message": "simulation crashed\x1b[31m"})

    async def tell(self, event: str, payload: dict[str, Any], nanos: int) -> None:
        await self.say(
            {"type": "event", "event": event, "payload": payload, "nanos": nanos, "paused": False}
        )

    async def say(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(websockets.exceptions.ConnectionClosed):
            await self.socket.send(json.dumps(message))


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=Path, required=True)
    parser.add_argument("--fault", default="")
    options = parser.parse_args()
    options.record.touch()

    async def check(_path: str, headers: Any) -> Any:
        if options.fault == "quota-status":
            return HTTPStatus.TOO_MANY_REQUESTS, [], b""
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return HTTPStatus.UNAUTHORIZED, [], b""
        return None

    async def visit(socket: WebSocketServerProtocol) -> None:
        await Visit(socket, options.fault, options.record).serve()

    async with serve(visit, "127.0.0.1", 0, process_request=check, max_size=64 << 20) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        sys.stdout.write(f"ws://127.0.0.1:{port}/api/ws/beta\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
