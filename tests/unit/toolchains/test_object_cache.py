"""The object cache keeps, finds and forgets."""

import os
from pathlib import Path

from controlplane.toolchains.object_cache import ObjectCache, key_of


def test_an_added_object_is_found(tmp_path: Path) -> None:
    made = tmp_path / "made.o"
    made.write_bytes(b"object")
    cache = ObjectCache(tmp_path / "objects")
    cache.add("k", made, b"warned")
    found = cache.find("k")

    assert found is not None
    assert (found.path.read_bytes(), found.stderr) == (b"object", b"warned")
    assert cache.find("other") is None


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    made = tmp_path / "made.o"
    made.write_bytes(bytes(100))
    cache = ObjectCache(tmp_path / "objects", max_bytes=250)
    for age, key in enumerate(("a", "b", "c")):
        path = cache.add(key, made, b"").path
        os.utime(path, ns=(age, age))
    cache.find("a")
    cache.prune()

    assert cache.find("b") is None
    assert cache.find("a") is not None
    assert cache.find("c") is not None


def test_every_fact_changes_the_key() -> None:
    assert len({key_of({"a": "1"}), key_of({"a": "2"}), key_of({"a": ["1"]}), key_of({})}) == 4
