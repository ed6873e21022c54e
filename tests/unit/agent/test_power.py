"""Power switches: what is configured, and what is really done."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from benchagent.power import PowerError, PowerState, PowerSwitches
from benchagent.power.http import HttpSwitch
from benchagent.power.program import CommandSwitch, UhubctlSwitch
from benchagent.power.switches import parse_switches


def program(folder: Path, body: str) -> tuple[Path, Path]:
    """A program that notes its arguments; and where it does."""
    script, notes = folder / "tool", folder / "notes"
    script.write_text(f'#!/bin/sh\necho "$@" >> {notes}\n{body}\n')
    script.chmod(0o755)
    return script, notes


async def test_uhubctl_is_called_with_place_port_and_action(tmp_path: Path) -> None:
    script, notes = program(tmp_path, "")
    switch = UhubctlSwitch(location="1-1.4", port=2, program=str(script), off_s=3)
    for state in PowerState:
        await switch.switch(state)
    assert notes.read_text().splitlines() == [
        f"--location=1-1.4 --ports=2 --action={action} --delay=3"
        for action in ("on", "off", "cycle")
    ]


async def test_a_program_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    script, _ = program(tmp_path, 'echo "No compatible devices detected!"; exit 1')
    switch = UhubctlSwitch(location="1-1", port=1, program=str(script))
    with pytest.raises(PowerError, match=r"code 1: No compatible devices"):
        await switch.switch(PowerState.CYCLE)


async def test_a_program_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    script, _ = program(tmp_path, f"sleep 1000 & echo $! > {tmp_path}/child; wait")
    switch = CommandSwitch(on=(str(script),), off=(str(script),), run_s=1.0)
    with pytest.raises(PowerError, match="did not end in 1 s"):
        await switch.switch(PowerState.ON)
    noted = tmp_path / "child"
    # A program that a busy machine let do nothing in that time started no child either.
    if noted.exists() and (child := noted.read_text().strip()):
        async with asyncio.timeout(60):
            while _state(int(child)) != "Z":  # noqa: ASYNC110 - the condition is of another process
                await asyncio.sleep(0.01)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


async def test_a_missing_uhubctl_names_its_package() -> None:
    switch = CommandSwitch(on=("uhubctl",), off=("uhubctl",))
    with pytest.raises(PowerError, match="apt package uhubctl"):
        await switch.switch(PowerState.ON)


async def test_a_cycle_without_a_command_of_its_own_is_off_and_on(tmp_path: Path) -> None:
    script, notes = program(tmp_path, "")
    switch = CommandSwitch(on=(str(script), "1"), off=(str(script), "0"), off_s=0)
    await switch.switch(PowerState.CYCLE)
    assert notes.read_text().split() == ["0", "1"]


class Relay:
    """A web server that notes what it is asked, and answers as the test says."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n", *, slow: bool = False) -> None:
        self.asked: list[str] = []
        self._answer, self._slow = answer, slow
        self._serving: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.base = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.append(task)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.asked.append(head.partition(" HTTP")[0])
            while self._slow:
                writer.write(b"H")
                await asyncio.sleep(0.05)
            writer.write(self._answer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def test_exactly_the_configured_addresses_are_asked() -> None:
    async with Relay() as relay:
        switch = HttpSwitch(
            on=f"{relay.base}/relay/0?turn=on", off=f"{relay.base}/relay/0?turn=off", off_s=0
        )
        await switch.switch(PowerState.CYCLE)
        post = HttpSwitch(on=f"{relay.base}/on", off=f"{relay.base}/off", method="POST")
        await post.switch(PowerState.ON)
        assert relay.asked == ["GET /relay/0?turn=off", "GET /relay/0?turn=on", "POST /on"]


async def test_a_redirect_is_not_followed() -> None:
    async with Relay() as other:
        answer = f"HTTP/1.1 302 Found\r\nLocation: {other.base}/steal\r\n\r\n".encode()
        async with Relay(answer) as relay:
            switch = HttpSwitch(on=f"{relay.base}/on", off=f"{relay.base}/off")
            with pytest.raises(PowerError, match="answered 302"):
                await switch.switch(PowerState.ON)
        assert other.asked == []


@pytest.mark.parametrize("answer", [b"", b"\x00\xff\n", b"HTTP/1.1 500 Oops\r\n\r\n"])
async def test_nonsense_and_refusals_are_told(answer: bytes) -> None:
    async with Relay(answer) as relay:
        switch = HttpSwitch(on=f"{relay.base}/on", off=f"{relay.base}/off")
        with pytest.raises(PowerError):
            await switch.switch(PowerState.ON)


async def test_an_answer_that_drips_ends_in_bounded_time() -> None:
    async with Relay(slow=True) as relay:
        switch = HttpSwitch(on=f"{relay.base}/on", off=f"{relay.base}/off", answer_s=0.3)
        with pytest.raises(PowerError, match="did not answer"):
            await switch.switch(PowerState.ON)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[power.a]\ndriver = "lamp"', "not one of uhubctl, command, http"),
        ('[power.a]\ndriver = "uhubctl"\nlocation = "1-1; rm"\nport = 1', "is no hub"),
        ('[power.a]\ndriver = "uhubctl"\nport = 1', "needs location"),
        ('[power.a]\ndriver = "uhubctl"\nlocation = "1-1"\nport = 99', "is no port"),
        ('[power.a]\ndriver = "command"\non = "relay on"\noff = ["x"]', "program with its words"),
        ('[power.a]\ndriver = "http"\non = "file:///etc"\noff = "http://x/"', "is no address"),
        ('[power.a]\ndriver = "http"\non = "http://u:p@x/"\noff = "http://x/"', "use a command"),
        ('[power.a]\ndriver = "http"\non = "http://x/"\noff = "http://x/"\noff_s = 1e9', "at most"),
        ('[power.a]\ndriver = "http"\nlocation = "1-1"', "means nothing to the driver"),
        ("[power]\na = 1", "no table of a board"),
        ("power = 1", "table of boards"),
        ("[power", "Expected"),
    ],
)
def test_what_is_wrong_in_the_file_is_said(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_switches(text)


def test_every_driver_is_read(tmp_path: Path) -> None:
    (tmp_path / "bench.toml").write_text(
        '[power.hub]\ndriver = "uhubctl"\nlocation = "1-1"\nport = 3\noff_s = 5\n'
        '[power.relay]\ndriver = "command"\non = ["r", "on"]\noff = ["r", "off"]\n'
        '[power.plug]\ndriver = "http"\non = "http://192.0.2.7/on"\noff = "http://192.0.2.7/off"\n'
    )
    switches = PowerSwitches(tmp_path)
    assert switches.required("hub", None) == UhubctlSwitch(location="1-1", port=3, off_s=5)
    assert switches.required("relay", None).words == "the command r"
    assert switches.required("plug", None).words == "http://192.0.2.7 (GET)"
    with pytest.raises(PowerError, match=r"add \[power.other\]"):
        switches.required("other", None)
