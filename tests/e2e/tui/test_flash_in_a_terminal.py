"""Two boards are flashed from the bench screen with a few keys."""

import sys
from pathlib import Path

from tests.e2e.tui.conftest import Terminal, benchline
from tests.process.virtual.boards import build_firmware


def test_marked_boards_are_flashed_with_a_few_keys(
    terminal: Terminal, environment: dict[str, str], tmp_path: Path
) -> None:
    image = build_firmware(tmp_path, tag="keys")
    assert benchline(environment, "up").returncode == 0
    terminal.open(sys.executable, "-P", "-m", "tui")
    terminal.shows("4/4 boards")
    terminal.keys("2")
    terminal.shows("vf405-02")
    terminal.keys("Down", "Down", "Space", "Space")
    terminal.shows("■ +vf405-01[^■]*■ +vf405-02")
    terminal.keys("F")
    terminal.shows("Flash vf405-01, vf405-02")
    terminal.keys("-l", str(image))
    terminal.shows("keys.elf")
    terminal.keys("Enter")
    terminal.shows("PASSED: 2 of 2 boards passed")
    terminal.shows("✓ PASSED .*read back[^✓]*✓ PASSED .*read back")
    terminal.keys("R")
    terminal.shows("every board passed")
    terminal.keys("q")
    terminal.shows("EXIT 0")
