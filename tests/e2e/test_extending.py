"""The worked examples of docs/extending.md, carried out on a copy of the programs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "extending.md"
COPIED = ("controlplane", "benchagent", "tui", "proto", "benchline", "pyproject.toml")
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ANYTHING = "…"
LIMIT_S = 240


@dataclass(frozen=True)
class Block:
    """A fenced block of the page: its kind, the file that it is for, what stands in it."""

    kind: str
    path: str
    text: str


@dataclass(frozen=True)
class Command:
    """A command that the page shows, and the lines that it shows below."""

    words: str
    shown: list[str]


def blocks() -> list[Block]:
    return [Block(kind, path or "", text) for kind, path, text in BLOCK.findall(PAGE.read_text())]


def commands() -> list[Command]:
    found: list[Command] = []
    for block in blocks():
        if block.kind != "console":
            continue
        for line in block.text.splitlines():
            if line.startswith("$ "):
                found.append(Command(line[2:], []))
            else:
                found[-1].shown.append(line)
    return found


def insert(text: str, change: str) -> str:
    """Apply a change of `+`, `-` and context lines where its old lines stand, once."""
    old = [line[1:] for line in change.splitlines() if not line.startswith("+")]
    new = [line[1:] for line in change.splitlines() if not line.startswith("-")]
    before, after = "\n".join(old), "\n".join(new)
    assert text.count(before) == 1, f"the page's lines are not in the file:\n{before}"
    return text.replace(before, after)


def apply_page(tree: Path) -> None:
    """Write and change the files that the page names."""
    for block in blocks():
        path = tree / block.path
        if block.kind == "diff":
            path.write_text(insert(path.read_text(), block.text))
        elif block.path:
            assert not path.exists(), f"{block.path} is no new file"
            path.write_text(block.text)


def as_shown(shown: list[str], said: str) -> re.Pattern[str] | None:
    """None when the output is what the page shows; else the pattern that it does not match."""
    parts = []
    for line in shown:
        if line.strip() == ANYTHING:
            parts.append(r"(?:.*\n)*?")
        else:
            words = [re.escape(piece) for piece in re.split(rf"\s*{ANYTHING}\s*|\s+", line)]
            gaps = re.findall(rf"\s*{ANYTHING}\s*|\s+", line)
            parts.append(words[0])
            for gap, word in zip(gaps, words[1:], strict=True):
                parts.append((r".*" if ANYTHING in gap else r"\s+") + word)
            parts.append(r"\n")
    pattern = re.compile("".join(parts))
    return None if pattern.fullmatch(said) else pattern


@dataclass(frozen=True)
class Copy:
    """The programs with everything added that the page adds."""

    tree: Path
    data_dir: Path

    def run(self, words: str) -> subprocess.CompletedProcess[str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("BENCHLINE_") and name != "PYTHONPATH"
        }
        return subprocess.run(
            ["sh", "-c", words],
            cwd=self.tree,
            env=kept | {"BENCHLINE_DATA_DIR": str(self.data_dir), "NO_COLOR": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
        )


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """One copy for the whole page; its local instance is stopped at the end."""
    tree = tmp_path_factory.mktemp("extended")
    for name in COPIED:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "node_modules")
            shutil.copytree(ROOT / name, tree / name, ignore=ignored)
        else:
            shutil.copy2(ROOT / name, tree / name)
    (tree / ".venv").symlink_to((ROOT / ".venv").resolve())
    apply_page(tree)
    copy = Copy(tree, tmp_path_factory.mktemp("data"))
    # The first command would tell that it starts the instance; the page does not show that.
    started = copy.run("./benchline up")
    assert started.returncode == 0, started.stdout
    yield copy
    assert copy.run("./benchline down").returncode == 0


@pytest.mark.xdist_group("extending")
@pytest.mark.parametrize("command", commands(), ids=lambda command: command.words[:60])
def test_the_page_shows_what_happens(extended: Copy, command: Command) -> None:
    done = extended.run(command.words)
    missed = as_shown(command.shown, done.stdout)
    assert missed is None, f"{missed and missed.pattern}\n\n{done.stdout}"


def test_the_code_of_the_page_is_as_clean_as_ours(extended: Copy) -> None:
    ours = ("controlplane/", "benchagent/")
    changed = {block.path for block in blocks() if block.path.startswith(ours)}
    files = " ".join(sorted(path for path in changed if path.endswith(".py")))
    done = extended.run(f".venv/bin/ruff check {files} && .venv/bin/ruff format --check {files}")
    assert done.returncode == 0, done.stdout
    typed = extended.run(f"MYPYPATH=proto .venv/bin/mypy {files}")
    assert typed.returncode == 0, typed.stdout


def test_every_file_of_the_page_is_new_and_every_change_has_a_place() -> None:
    files = [block.path for block in blocks() if block.path and block.kind != "diff"]
    assert len(files) == len(set(files))
    for block in blocks():
        if block.kind == "diff":
            assert (ROOT / block.path).is_file() or block.path in files
            assert any(line.startswith("+") for line in block.text.splitlines())
    assert len(commands()) >= 5


def test_output_is_compared_line_by_line() -> None:
    said = "one\ntwo words here\nthree\n"
    assert as_shown(["one", "two … here", "three"], said) is None
    assert as_shown(["…", "three"], said) is None
    assert as_shown(["…", "two words …", "…"], said) is None
    assert as_shown(["one", "three"], said) is not None
    assert as_shown(["…", "four", "…"], said) is not None
