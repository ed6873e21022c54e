"""What is said about tools that are missing, hung or talk nonsense: real programs on a PATH."""

from pathlib import Path

import pytest

from controlplane.childproc import tools
from controlplane.childproc.tools import Tool, ToolBrokenError, ToolTrouble, locate

TOOL = Tool(name="qemu-system-arm", package="qemu-system-arm", version_pattern=r"version ([0-9.]+)")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is the whole PATH, so that the installed tool is hidden."""
    first = tmp_path / "first"
    first.mkdir()
    monkeypatch.setenv("PATH", str(first))
    return first


def program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


async def broken() -> ToolBrokenError:
    with pytest.raises(ToolBrokenError) as caught:
        await locate(TOOL)
    assert caught.value.package == "qemu-system-arm"
    return caught.value


async def test_a_missing_tool_names_its_package(place: Path) -> None:
    assert str(await broken()) == (
        "qemu-system-arm was not found; "
        "install the package qemu-system-arm (apt install qemu-system-arm)"
    )


async def test_a_tool_that_is_not_executable_is_told(place: Path) -> None:
    (place / TOOL.name).write_text("data")

    assert (await broken()).trouble is ToolTrouble.NOT_EXECUTABLE


async def test_a_hung_tool_is_told(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "VERSION_SECONDS", 1.0)
    program(place / TOOL.name, "exec /bin/sleep 1000")

    error = await broken()

    assert error.trouble is ToolTrouble.HUNG
    assert "did not answer --version within 1 s; reinstall the package" in str(error)


async def test_a_garbage_version_is_told(place: Path) -> None:
    program(place / TOOL.name, "exec /usr/bin/head -c 500 /dev/urandom")

    assert (await broken()).trouble is ToolTrouble.GARBAGE


async def test_a_crashing_tool_is_told(place: Path) -> None:
    program(place / TOOL.name, "kill -11 $$")

    assert (await broken()).trouble is ToolTrouble.CRASHED


async def test_a_file_that_is_no_program_is_told(place: Path) -> None:
    (place / TOOL.name).write_bytes(b"\x7fELF garbage")
    (place / TOOL.name).chmod(0o755)

    await broken()


async def test_a_replaced_tool_is_asked_again(place: Path) -> None:
    program(place / TOOL.name, "echo version 1.2.3")
    first = await locate(TOOL)
    program(place / TOOL.name, "echo version 10.20.30")
    second = await locate(TOOL)

    assert (first.version, second.version) == ("1.2.3", "10.20.30")
