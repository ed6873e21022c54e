"""What is generated and committed is what the sources say."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
GENERATED = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi")


PLACES = [("proto", "benchline/v1"), (".", "controlplane/provisioning/provider/wire")]


def generate_into(folder: Path, root: str, package: str) -> None:
    top = ROOT / root
    sources = sorted(str(p.relative_to(top)) for p in (top / package).glob("*.proto"))
    subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            "-I.",
            f"--python_out={folder}",
            f"--grpc_python_out={folder}",
            f"--mypy_out=quiet:{folder}",
            f"--mypy_grpc_out=quiet:{folder}",
            *sources,
        ],
        cwd=top,
        check=True,
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"},
    )


@pytest.mark.parametrize(("root", "package"), PLACES)
def test_regenerating_the_wire_code_changes_nothing(
    tmp_path: Path, root: str, package: str
) -> None:
    generate_into(tmp_path, root, package)
    made = {p.name: p.read_text() for p in (tmp_path / package).iterdir()}
    committed = {
        p.name: p.read_text()
        for p in (ROOT / root / package).iterdir()
        if p.name.endswith(GENERATED)
    }

    assert made.keys() == committed.keys()
    stale = [name for name, text in made.items() if committed[name] != text]
    assert stale == [], "run `make proto` and commit what it changes"


def test_the_api_page_is_fresh() -> None:
    spec = importlib.util.spec_from_file_location("generate_api", ROOT / "docs/generate_api.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    assert (ROOT / "docs/api.md").read_text("utf-8") == module.api_markdown(), "run `make docs`"


def test_proto_stays_a_bare_folder() -> None:
    # A package named `proto` would shadow proto-plus for everybody who runs from the checkout.
    assert not (ROOT / "proto/__init__.py").exists()


@pytest.mark.parametrize("lock", ["run", "dev", "agent", "build"])
def test_every_locked_requirement_has_a_hash_and_names_no_host(lock: str) -> None:
    text = (ROOT / f"requirements/{lock}.txt").read_text("utf-8")
    blocks = text.replace("\\\n", "").splitlines()
    pinned = [block for block in blocks if "==" in block]

    assert pinned
    assert all("--hash=sha256:" in block for block in pinned)
    assert "://" not in text


def test_an_agent_installs_without_the_servers_packages() -> None:
    agent = (ROOT / "requirements/agent.txt").read_text("utf-8")

    for package in ("sqlalchemy", "alembic", "textual", "tree-sitter", "unicorn", "uvloop"):
        assert f"\n{package}==" not in f"\n{agent}"
