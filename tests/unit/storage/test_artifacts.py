"""Artifacts on a real disk."""

import asyncio
import hashlib
from pathlib import Path

import pytest

from benchline.errors import CorruptError, ExhaustedError, InvalidRequestError, NotFoundError
from controlplane.storage.artifacts import MAX_ARTIFACT_BYTES, ArtifactStore
from controlplane.storage.database import Database


@pytest.fixture
def store(tmp_path: Path, database: Database) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts", database)


def files(root: Path) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())


async def test_bytes_are_stored_under_their_digest(store: ArtifactStore, tmp_path: Path) -> None:
    artifact = await store.put(b"abc", kind="firmware.bin", filename="a.bin")
    digest = hashlib.sha256(b"abc").hexdigest()
    assert (artifact.sha256, artifact.size_bytes) == (digest, 3)
    assert await store.read(digest) == b"abc"
    assert await store.get(digest) == artifact
    assert files(tmp_path / "artifacts") == [f"{digest[:2]}/{digest[2:]}"]


async def test_the_same_bytes_are_one_file_under_each_callers_name(
    store: ArtifactStore, tmp_path: Path
) -> None:
    made = await asyncio.gather(
        *(store.put(b"abc", kind=f"k{n}", filename=f"f{n}") for n in range(20))
    )
    assert len(files(tmp_path / "artifacts")) == 1
    assert [artifact.kind for artifact in made] == [f"k{n}" for n in range(20)]


@pytest.mark.parametrize("damage", [b"abd", b"ab", b"", None])
async def test_damage_is_found_and_repaired_by_the_same_bytes(
    store: ArtifactStore, damage: bytes | None
) -> None:
    artifact = await store.put(b"abc", kind="k", filename="f")
    path = store.path(artifact.sha256)
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage)
    with pytest.raises(CorruptError) as caught:
        await store.read(artifact.sha256)
    assert caught.value.facts["file"] == str(path)
    await store.put(b"abc", kind="k", filename="f")
    assert await store.read(artifact.sha256) == b"abc"


async def test_what_was_never_stored_is_not_found(store: ArtifactStore) -> None:
    with pytest.raises(NotFoundError):
        await store.read("0" * 64)
    with pytest.raises(InvalidRequestError):
        await store.read("../../../etc/passwd")


async def test_one_artifact_and_all_of_them_have_a_cap(tmp_path: Path, database: Database) -> None:
    store = ArtifactStore(tmp_path / "artifacts", database, total_bytes=10)
    with pytest.raises(ExhaustedError, match="at most"):
        await store.put(bytes(MAX_ARTIFACT_BYTES + 1), kind="k", filename="f")
    await store.put(b"123456", kind="k", filename="f")
    with pytest.raises(ExhaustedError) as caught:
        await store.put(b"7890a", kind="k", filename="f")
    assert caught.value.reason == "ARTIFACTS_FULL"
    await store.put(b"123456", kind="k", filename="again")
    await store.put(b"7890", kind="k", filename="f")
    assert len(files(tmp_path / "artifacts")) == 2
