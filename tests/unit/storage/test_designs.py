"""Stored designs: revisions that never change, and edits that lose nobody's work."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from benchline.errors import ConflictError, NotFoundError
from controlplane.catalog.loader import load_catalogue
from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest
from controlplane.domain.design import Design
from controlplane.storage.database import Database
from controlplane.storage.designs import DesignStore, NewRevision

CATALOGUE = load_catalogue()
V1 = (Path(__file__).parents[1] / "domain" / "design_v1.json").read_text("utf-8")


def new(title: str = "Blinker", note: str = "") -> NewRevision:
    found = OfflineDesigner(CATALOGUE).plan(DesignRequest(prompt="Blink the LED at 2 Hz."))
    assert isinstance(found, Design)
    return NewRevision(design=replace(found, title=title), note=note, principal="local:me")


async def test_each_revision_names_what_it_was_made_from(database: Database) -> None:
    store = DesignStore(database)
    first = await store.create("blinker", new())
    second = await store.update("blinker", first.etag, new("Second", "better"))
    third = await store.update("blinker", second.etag, new("Third"))

    assert [s.revision for s in (first, second, third)] == [1, 2, 3]
    assert third.parent_revision == 2
    assert third.design.parent == second.design.design_hash
    assert (await store.get("blinker", 1)).design == first.design
    assert (await store.get("blinker", 2)).note == "better"
    assert (await store.get("blinker")).revision == 3


async def test_of_two_edits_of_one_revision_one_is_refused(database: Database) -> None:
    store = DesignStore(database)
    first = await store.create("blinker", new())
    done = await asyncio.gather(
        *(store.update("blinker", first.etag, new(title)) for title in ("One", "Two")),
        return_exceptions=True,
    )

    assert sorted(type(each).__name__ for each in done) == ["ConflictError", "StoredDesign"]
    assert (await store.get("blinker")).revision == 2


async def test_an_edit_that_is_repeated_or_changes_nothing_makes_no_revision(
    database: Database,
) -> None:
    store = DesignStore(database)
    first = await store.create("blinker", new())
    second = await store.update("blinker", first.etag, new("Second"))

    assert await store.update("blinker", first.etag, new("Second")) == second
    assert await store.update("blinker", second.etag, new("Second")) == second


async def test_a_name_is_given_once(database: Database) -> None:
    store = DesignStore(database)
    first = await store.create("blinker", new())

    assert await store.create("blinker", new()) == first
    with pytest.raises(ConflictError, match="exists"):
        await store.create("blinker", new("Another"))
    with pytest.raises(NotFoundError):
        await store.get("blinker", 7)


async def test_a_design_of_version_1_is_kept_as_it_is(database: Database) -> None:
    store = DesignStore(database)
    old = replace(new(), design=Design.from_json(V1))
    first = await store.create("old", old)
    second = await store.update(
        "old", first.etag, replace(old, design=replace(old.design, title="Renamed"))
    )

    assert first.design.to_json() == V1
    assert (second.design.schema_version, second.design.parent) == (1, "")


async def test_revisions_come_in_pages(database: Database) -> None:
    store = DesignStore(database)
    stored = await store.create("blinker", new())
    for number in range(2, 6):
        stored = await store.update("blinker", stored.etag, new(f"Title {number}"))
    page, rest = await store.revisions("blinker", 3, None)
    last, none = await store.revisions("blinker", 3, rest)

    assert [s.revision for s in page + last] == [5, 4, 3, 2, 1]
    assert (rest, none) == (3, None)
