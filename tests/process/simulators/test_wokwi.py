"""The rung that is Wokwi's service, against a local program that speaks its protocol."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchline.scenario import Outcome, parse_scenario, resolve
from controlplane.childproc.tools import ToolBrokenError, ToolTrouble
from controlplane.simulators import wokwi_link
from controlplane.simulators.protocol import SimulationLimits, SimulationResult, Target
from controlplane.simulators.wokwi import WokwiSettings, WokwiSimulator
from controlplane.toolchains.protocol import BuildResult, BuildVariant
from tests.process.simulators import conftest as stm32
from tests.process.simulators.wokwi_service import TOKEN

ROOT = Path(__file__).resolve().parents[3]
TARGET = Target(
    part="esp32c3",
    part_name="ESP32-C3",
    machine="board-esp32-c3-devkitm-1",
    console_serial=0,
    flash_bytes=4 << 20,
)
SCENARIO = stm32.SCENARIO.replace("PA1", "GPIO1").replace("PC12", "GPIO10")
HONEST = stm32.HONEST.replace("PA1", "1").replace("PC12", "10")


@dataclass(frozen=True)
class Service:
    """A running service and what it was asked."""

    server: str
    record: Path

    @property
    def requests(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.record.read_text().splitlines()]

    def settings(self, token: str = TOKEN) -> WokwiSettings:
        return WokwiSettings(token=token, server=self.server)


@pytest.fixture
def start_service(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    started: list[subprocess.Popen[str]] = []

    def start(fault: str = "") -> Service:
        record = tmp_path / f"requests-{len(started)}.jsonl"
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.process.simulators.wokwi_service"),
                *("--record", str(record), "--fault", fault),
            ],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'proto'}"},
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        return Service(server=process.stdout.readline().strip(), record=record)

    yield start
    for process in started:
        process.kill()
        process.communicate()


Build = Callable[[str], Awaitable[Path]]


@pytest.fixture
def build(build_c3: Callable[[str], Awaitable[BuildResult]]) -> Build:
    async def build_sketch(text: str) -> Path:
        return (await build_c3(text)).images[BuildVariant.TEST].elf

    return build_sketch


@pytest.fixture
async def honest(build: Build) -> Path:
    return await build(HONEST)


async def run(
    settings: WokwiSettings,
    image: Path,
    *,
    text: str = SCENARIO,
    limits: SimulationLimits | None = None,
    target: Target = TARGET,
) -> SimulationResult:
    plan = resolve(parse_scenario(text), 7)
    return await WokwiSimulator(settings).simulate(target, image, plan, limits=limits)


async def test_an_honest_sketch_passes(start_service: Callable[..., Service], honest: Path) -> None:
    result = await run(start_service().settings(), honest)

    assert result.outcome is Outcome.PASSED, result.scenario.reason
    assert result.device_ms == 4000
    assert result.rung == "wokwi-board-esp32-c3-devkitm-1"
    assert result.versions == {"wokwi": "service 1.2.3"}
    assert "core.pin_corroboration" in {a.id for a in result.scenario.assertions}
    assert any(
        "was sent to ws://127.0.0.1" in n or "were sent to ws://127.0.0.1" in n
        for n in result.notes
    )
    assert any("not run against the service" in note for note in result.notes)


async def test_listening_begins_before_the_first_instruction(
    start_service: Callable[..., Service], honest: Path
) -> None:
    service = start_service()
    result = await run(service.settings(), honest)

    commands = [request["command"] for request in service.requests]
    assert commands[:4] == ["file:upload", "file:upload", "file:upload", "sim:start"]
    assert commands[4:] == ["serial-monitor:listen", "pin:listen", "sim:resume"]
    assert service.requests[0]["name"] == "diagram.json"
    assert result.console.index(b"BOOT") < 40


async def test_the_stimuli_go_into_their_place_in_flash(
    start_service: Callable[..., Service], honest: Path
) -> None:
    service = start_service()
    await run(service.settings(), honest)

    [start] = [r for r in service.requests if r["command"] == "sim:start"]
    assert [section["offset"] for section in start["firmware"]] == [0, 0x1F_0000]


async def test_the_same_run_gives_the_same_bytes(
    start_service: Callable[..., Service], honest: Path
) -> None:
    service = start_service()
    runs = [await run(service.settings(), honest) for _ in range(2)]

    assert runs[0].console == runs[1].console
    assert runs[0].key == runs[1].key != ""


async def test_a_pin_that_the_service_does_not_see_move_fails(
    start_service: Callable[..., Service], honest: Path
) -> None:
    result = await run(start_service("deaf-pins").settings(), honest)

    assert result.outcome is Outcome.FAILED
    assert "pin_corroboration" in result.scenario.reason


async def test_a_pin_record_without_its_write_fails(
    start_service: Callable[..., Service], build: Build
) -> None:
    say = (
        'void say(int v) { char t[48]; snprintf(t, sizeof t, "\\x1e" "BL %lu PIN GPIO10 v=%d\\n", '
        "millis(), v); for (char *c = t; *c; ++c) "
        "*reinterpret_cast<volatile unsigned *>(0x60000000) = *c; }\n"
    )
    liar = await build(
        say + HONEST.replace("digitalWrite(10, on ? LOW : HIGH);", "say(on ? 0 : 1);")
    )
    result = await run(start_service().settings(), liar)

    assert result.outcome is Outcome.FAILED
    assert "pin_corroboration" in result.scenario.reason


async def test_firmware_that_stops_time_fails(
    start_service: Callable[..., Service], build: Build
) -> None:
    stuck = await build(
        HONEST.replace("delay(1);", "if (now > 500) { noInterrupts(); while (true) {} }")
    )
    result = await run(start_service().settings(), stuck)

    assert result.outcome is Outcome.FAILED
    assert "device time stopped" in result.scenario.reason


@pytest.mark.parametrize(
    ("fault", "said", "fix"),
    [
        ("token-message", "Invalid API token", "WOKWI_CLI_TOKEN"),
        ("quota-status", "HTTP status 429", "quota"),
        ("protocol", "does not speak its protocol", "renew wokwi-client"),
        ("error-file:upload", "quota exceeded", "https://wokwi.com/dashboard/ci"),
        ("error-sim:start", "quota exceeded", "https://wokwi.com/dashboard/ci"),
        ("error-pin:listen", "refused listening to GPIO10", "dashboard"),
        ("disconnect", "closed the connection", "try again"),
        ("garbage", "does not speak its protocol", "renew wokwi-client"),
        ("no-bytes", "console data that are no bytes", "renew wokwi-client"),
        ("no-time", "does not speak its protocol", "renew wokwi-client"),
        ("error-message", "simulation crashed", "try again"),
        ("huge", "closed the connection", "try again"),
    ],
)
async def test_trouble_of_the_service_is_never_the_firmwares(
    start_service: Callable[..., Service], honest: Path, fault: str, said: str, fix: str
) -> None:
    result = await run(start_service(fault).settings(), honest)

    assert result.outcome is Outcome.BROKEN, result.scenario.reason
    assert said in result.scenario.reason
    assert fix in result.fix
    assert result.tool == "wokwi"
    assert "\x1b" not in result.scenario.reason


async def test_a_refused_token_is_told(start_service: Callable[..., Service], honest: Path) -> None:
    result = await run(start_service().settings("wrong"), honest)

    assert result.outcome is Outcome.BROKEN
    assert "HTTP status 401" in result.scenario.reason
    assert "WOKWI_CLI_TOKEN" in result.fix
    assert "wrong" not in f"{result.scenario} {result.notes}"


async def test_silence_is_broken(start_service: Callable[..., Service], honest: Path) -> None:
    limits = SimulationLimits(wall_base_s=1.0, wall_factor=0.0)
    result = await run(start_service("silence").settings(), honest, limits=limits)

    assert result.outcome is Outcome.BROKEN
    assert "sent nothing of the run" in result.scenario.reason


async def test_an_unanswered_command_is_broken(
    start_service: Callable[..., Service], honest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wokwi_link, "ANSWER_SECONDS", 1.0)
    result = await run(start_service("mute-sim:start").settings(), honest)

    assert result.outcome is Outcome.BROKEN
    assert "did not answer" in result.scenario.reason


async def test_a_flood_is_capped(start_service: Callable[..., Service], honest: Path) -> None:
    limits = SimulationLimits(wall_base_s=60.0, console_bytes=1 << 20)
    result = await run(start_service("flood").settings(), honest, limits=limits)

    assert result.outcome is Outcome.FAILED
    assert len(result.console) == 1 << 20


async def test_nobody_at_the_address_is_broken(honest: Path) -> None:
    settings = WokwiSettings(token=TOKEN, server="ws://127.0.0.1:9/none")
    result = await run(settings, honest)

    assert result.outcome is Outcome.BROKEN
    assert "cannot be reached" in result.scenario.reason


async def test_cancelling_closes_the_connection(
    start_service: Callable[..., Service], honest: Path
) -> None:
    service = start_service("silence")
    running = asyncio.create_task(run(service.settings(), honest))
    async with asyncio.timeout(60):
        while not any(r["command"] == "sim:resume" for r in service.requests):  # noqa: ASYNC110 - another process tells nothing
            await asyncio.sleep(0.02)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert not [task for task in others if not task.done()]


async def test_without_a_token_nothing_is_sent(start_service: Callable[..., Service]) -> None:
    service = start_service()
    with pytest.raises(ToolBrokenError) as refused:
        await WokwiSimulator(service.settings("")).version(TARGET.machine)

    assert refused.value.trouble is ToolTrouble.MISSING
    assert service.requests == []


async def test_a_token_is_not_sent_unencrypted_to_another_machine() -> None:
    settings = WokwiSettings(token=TOKEN, server="ws://198.51.100.1/api")
    with pytest.raises(ToolBrokenError, match="unencrypted"):
        await WokwiSimulator(settings).version(TARGET.machine)


TEXT_SCENARIO = """
scenario: 1
id: counts
duration: 3s
requires: [serial.rx]
steps:
  - expect: {id: one, line: '^count 1$', after: 1s, within: 500ms}
  - expect_period: {id: rate, line: '^count [0-9]$', period: 1s, tolerance: 20ms, count: 2}
"""


async def test_text_of_other_firmware_is_judged_by_the_simulated_time(
    start_service: Callable[..., Service], tmp_path: Path
) -> None:
    image = tmp_path / "app.bin"
    image.write_bytes(b"\xe9" + b"SCRIPT\n200 count 0\n1200 count 1\n2200 count 2\nEND\n")
    result = await run(start_service().settings(), image, text=TEXT_SCENARIO)

    assert result.outcome is Outcome.PASSED, result.scenario.reason
    assert [e.at_ms for e in result.events if e.is_line] == [200, 1200, 2200]


async def test_text_that_comes_late_fails(
    start_service: Callable[..., Service], tmp_path: Path
) -> None:
    image = tmp_path / "app.bin"
    image.write_bytes(b"\xe9" + b"SCRIPT\n200 count 0\n1900 count 1\n2200 count 2\nEND\n")
    result = await run(start_service().settings(), image, text=TEXT_SCENARIO)

    assert result.outcome is Outcome.FAILED
