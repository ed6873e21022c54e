"""Designs over the wire: parse, judge, draw, compare, keep, edit, and start sessions from them."""

import json
import uuid
from dataclasses import replace
from typing import Any

import grpc
import pytest

from benchline.errors import (
    BenchlineError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    error_from,
)
from benchline.v1 import design_pb2, design_pb2_grpc, session_pb2, session_pb2_grpc, verdict_pb2
from controlplane.catalog.loader import load_catalogue
from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest
from controlplane.domain.design import Design
from tests.wire.edge.conftest import Edge

PROMPT = "Switch a relay on above 30 C and off below 28 C; blink a red LED at 2 Hz."


def made(prompt: str = PROMPT) -> Design:
    found = OfflineDesigner(load_catalogue()).plan(DesignRequest(prompt=prompt))
    assert isinstance(found, Design)
    return found


def stub(edge: Edge) -> Any:
    return design_pb2_grpc.DesignServiceStub(edge.channel)


async def refused(call: Any) -> BenchlineError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return error_from(caught.value)


async def saved(edge: Edge, name: str = "thermostat", **fields: Any) -> design_pb2.StoredDesign:
    request = design_pb2.SaveDesignRequest(
        request_id=str(uuid.uuid4()), design_id=name, document=made().to_json(), **fields
    )
    answer: design_pb2.SaveDesignResponse = await stub(edge).SaveDesign(request)
    return answer.stored_design


async def test_a_document_of_json_and_one_of_yaml_are_the_same_design(edge: Edge) -> None:
    document = json.loads(made().to_json())
    yaml_text = to_yaml(document)
    from_json = await stub(edge).ParseDesign(
        design_pb2.ParseDesignRequest(document=json.dumps(document))
    )
    from_yaml = await stub(edge).ParseDesign(design_pb2.ParseDesignRequest(document=yaml_text))

    assert list(from_json.problems) == list(from_yaml.problems) == []
    assert from_json.design.design_hash == from_yaml.design.design_hash == made().design_hash
    assert list(from_json.findings) == []


async def test_every_problem_of_a_document_comes_at_once(edge: Edge) -> None:
    document = json.loads(made().to_json())
    document["pins"][0]["function"] = "teleport"
    document["surprise"] = 1
    del document["title"]
    answer = await stub(edge).ParseDesign(
        design_pb2.ParseDesignRequest(document=json.dumps(document))
    )

    assert {each.path for each in answer.problems} == {
        "$.pins[0].function",
        "$.surprise",
        "$.title",
    }
    assert not answer.HasField("design")


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "a: &x 1\nb: *x", "!!python/object:os.system {}", "\x00", "{" * 50_000]
)
async def test_hostile_documents_are_problems_and_nothing_else(edge: Edge, text: str) -> None:
    answer = await stub(edge).ParseDesign(design_pb2.ParseDesignRequest(document=text))

    assert len(answer.problems) >= 1


async def test_open_pins_are_solved_and_digests_filled_in(edge: Edge) -> None:
    document = json.loads(made().to_json())
    for pin in document["pins"]:
        if pin["signal"] == "relay":
            pin["pin"] = "auto"
    document["prompt_digest"] = ""
    del document["scenarios"][0]["sha256"]
    answer = await stub(edge).ParseDesign(
        design_pb2.ParseDesignRequest(document=json.dumps(document))
    )
    relay = next(pin for pin in answer.design.pins if pin.signal == "relay")

    assert list(answer.problems) == list(answer.findings) == []
    assert relay.pin == made().pin_of("relay").pin


async def test_a_design_is_judged_by_every_rule(edge: Edge) -> None:
    design = made()
    pins = tuple(replace(p, pin="PA13") if p.signal == "relay" else p for p in design.pins)
    wrong = replace(design, pins=pins, behaviours=design.behaviours[:1])
    answer = await stub(edge).ValidateDesign(
        design_pb2.ValidateDesignRequest(document=wrong.to_json())
    )

    assert not answer.sound
    assert {finding.code for finding in answer.findings} == {"E113", "E151"}


async def test_a_design_is_kept_edited_and_compared(edge: Edge) -> None:
    first = await saved(edge, note="the first")
    document = json.dumps({"title": "A thermostat", "summary": "Short."})
    request = design_pb2.UpdateDesignRequest(
        request_id=str(uuid.uuid4()),
        name=first.name,
        etag=first.etag,
        document=document,
        note="a better title",
    )
    request.update_mask.paths.extend(["title", "summary"])
    second = await stub(edge).UpdateDesign(request)
    again = await stub(edge).UpdateDesign(request)
    revisions = await stub(edge).ListDesignRevisions(
        design_pb2.ListDesignRevisionsRequest(name=first.name)
    )
    changes = await stub(edge).DiffDesigns(
        design_pb2.DiffDesignsRequest(
            left_name=f"{first.name}/revisions/1", right_name=f"{first.name}/revisions/2"
        )
    )

    assert (first.name, first.revision, first.note) == ("designs/thermostat", 1, "the first")
    assert second.stored_design.revision == again.stored_design.revision == 2
    assert second.stored_design.design.title == "A thermostat"
    assert {change.path for change in second.changes} == {"title", "summary"}
    assert [each.revision for each in revisions.stored_designs] == [2, 1]
    assert [change.path for change in changes.changes] == ["title", "summary"]
    parent = json.loads(second.stored_design.design.json)["parent"]
    assert parent == first.design.design_hash


async def test_an_edit_of_an_old_revision_is_refused(edge: Edge) -> None:
    first = await saved(edge)

    async def edit(title: str) -> Any:
        request = design_pb2.UpdateDesignRequest(
            name=first.name, etag=first.etag, document=json.dumps({"title": title})
        )
        request.update_mask.paths.append("title")
        return await stub(edge).UpdateDesign(request)

    await edit("One")
    error = await refused(edit("Two"))

    assert isinstance(error, ConflictError)
    assert error.reason == "STALE_ETAG"


async def test_a_mask_that_does_not_fit_its_document_is_refused(edge: Edge) -> None:
    first = await saved(edge)
    request = design_pb2.UpdateDesignRequest(
        name=first.name, etag=first.etag, document=json.dumps({"title": "x", "prompt": "y"})
    )
    request.update_mask.paths.extend(["title", "nonsense"])
    error = await refused(stub(edge).UpdateDesign(request))

    assert error.reason == "DESIGN_INVALID"
    assert "$.nonsense" in str(error)
    assert "$.prompt" in str(error)


async def test_a_repeated_save_stores_one_design_and_another_name_is_refused(edge: Edge) -> None:
    request = design_pb2.SaveDesignRequest(request_id=str(uuid.uuid4()), document=made().to_json())
    one, two = [await stub(edge).SaveDesign(request) for _ in range(2)]
    await saved(edge)
    other = design_pb2.SaveDesignRequest(
        design_id="thermostat", document=made("Blink the LED at 2 Hz.").to_json()
    )
    error = await refused(stub(edge).SaveDesign(other))

    assert one.stored_design == two.stored_design
    assert (type(error), error.reason) == (ConflictError, "DESIGN_EXISTS")


async def test_stored_designs_come_in_pages(edge: Edge) -> None:
    for number in range(5):
        await saved(edge, f"design-{number}")
    names: list[str] = []
    token = ""
    while True:
        page = await stub(edge).ListDesigns(
            design_pb2.ListDesignsRequest(page_size=2, page_token=token)
        )
        names += [each.name for each in page.stored_designs]
        assert all(not each.design.json for each in page.stored_designs)
        token = page.next_page_token
        if not token:
            break

    assert names == [f"designs/design-{number}" for number in reversed(range(5))]


@pytest.mark.parametrize(
    ("wanted", "begins"),
    [
        (design_pb2.DRAWING_FORMAT_SVG, "<svg "),
        (design_pb2.DRAWING_FORMAT_MERMAID, "flowchart LR"),
        (design_pb2.DRAWING_FORMAT_TEXT, "olimex-stm32-h405"),
        (design_pb2.DRAWING_FORMAT_BOM_CSV, "reference,quantity"),
    ],
)
async def test_a_stored_design_is_drawn(edge: Edge, wanted: int, begins: str) -> None:
    stored = await saved(edge)
    answer = await stub(edge).DrawDesign(
        design_pb2.DrawDesignRequest(name=stored.name, format=wanted)
    )

    assert answer.content.startswith(begins)
    assert "relay" in answer.content


async def test_a_layout_has_the_board_and_every_component(edge: Edge) -> None:
    answer = await stub(edge).LayOutDesign(
        design_pb2.LayOutDesignRequest(document=made().to_json())
    )

    assert {box.id for box in answer.layout.boxes} >= {"relay", "temperature", "red_led"}
    assert all(len(wire.points) % 2 == 0 for wire in answer.layout.wires)


async def test_boards_are_suggested_with_their_reasons(edge: Edge) -> None:
    answer = await stub(edge).SuggestBoards(
        design_pb2.SuggestBoardsRequest(document=made().to_json())
    )

    assert answer.suggestions[0].fits
    assert answer.suggestions[0].reasons


async def test_what_does_not_exist_and_what_is_not_said_are_errors(edge: Edge) -> None:
    missing = await refused(
        stub(edge).GetDesign(design_pb2.GetDesignRequest(name="designs/nothing"))
    )
    unnamed = await refused(stub(edge).ValidateDesign(design_pb2.ValidateDesignRequest()))
    malformed = await refused(stub(edge).GetDesign(design_pb2.GetDesignRequest(name="../etc")))

    assert (type(missing), missing.reason) == (NotFoundError, "DESIGN_NOT_FOUND")
    assert (type(unnamed), unnamed.reason) == (InvalidRequestError, "NAME_OR_DOCUMENT")
    assert malformed.reason == "INVALID_NAME"


async def test_a_session_starts_from_a_stored_design_and_keeps_its_revision(edge: Edge) -> None:
    stored = await saved(edge)
    sessions: Any = session_pb2_grpc.SessionServiceStub(edge.channel)
    request = session_pb2.CreateSessionRequest(
        request_id=str(uuid.uuid4()), design="thermostat", until=verdict_pb2.STAGE_SIMULATE
    )
    first = await sessions.CreateSession(request)
    edit = design_pb2.UpdateDesignRequest(
        name=stored.name, etag=stored.etag, document=json.dumps({"title": "New"})
    )
    edit.update_mask.paths.append("title")
    await stub(edge).UpdateDesign(edit)
    again = await sessions.CreateSession(request)

    assert first.session.design == "designs/thermostat/revisions/1"
    assert again.session.name == first.session.name


def to_yaml(value: object, indent: str = "") -> str:
    """YAML that a person could have written: plain scalars wherever they are unambiguous."""
    if isinstance(value, dict):
        lines = [f"{indent}{key}:{_below(item, indent)}" for key, item in value.items()]
        return "\n".join(lines)
    if isinstance(value, list):
        return "\n".join(f"{indent}-{_below(item, indent)}" for item in value)
    raise AssertionError(value)


def _below(item: object, indent: str) -> str:
    if isinstance(item, dict | list) and item:
        return "\n" + to_yaml(item, indent + "  ")
    if isinstance(item, str) and item.isalnum() and not item.isdecimal():
        return f" {item}"
    return f" {json.dumps(item)}"
