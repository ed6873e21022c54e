"""The client against a server on the loopback: every way in which an answer can go wrong."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from benchline.errors import (
    BenchlineError,
    ConflictError,
    InvalidRequestError,
    NotPermittedError,
    NotReadyError,
    UnreachableError,
)
from controlplane.claude.calls import (
    AnswerShape,
    Asker,
    Call,
    CallRefusedError,
    Role,
    Turn,
)
from controlplane.claude.retry import RetryPolicy
from controlplane.claude.service import Claude
from controlplane.claude.settings import ClaudeSettings
from controlplane.domain.artifact import Artifact
from controlplane.domain.event import Fact, Note
from controlplane.domain.model_call import ModelCall
from controlplane.domain.secret import Secret
from controlplane.storage.artifacts import ArtifactStore
from controlplane.storage.database import Database
from controlplane.storage.model_calls import ModelCallStore
from tests.loopback_messages import LoopbackMessages, read_script

KEY = "sk-ant-planted-0123456789abcdef"
ANSWER = {"word": "yes"}
GOOD = {"reply": {"json": ANSWER}}
SCHEMA = {
    "type": "object",
    "properties": {"word": {"type": "string"}},
    "required": ["word"],
    "additionalProperties": False,
}
CALL = Call(
    purpose="design",
    model="claude-opus-5-5",
    effort="high",
    max_tokens=1000,
    prefix=("rules", "catalogue"),
    turns=(Turn(Role.USER, "a wish"),),
    shape=AnswerShape(name="submit_word", description="Submit the word.", schema=SCHEMA),
)
QUICK = RetryPolicy(tries=3, first_s=0.01, longest_s=0.05, longest_asked_s=2, deadline_s=60)


@dataclass
class Rig:
    claude: Claude
    server: LoopbackMessages
    store: ModelCallStore
    folder: Path
    told: list[Fact] = field(default_factory=list)

    def asker(self, session_id: str = "s1", ceiling: int = 0) -> Asker:
        async def tell(fact: Fact) -> None:
            self.told.append(fact)

        return Asker(session_id=session_id, attempt=1, tell=tell, ceiling_micro_usd=ceiling)

    async def ask(self, call: Call = CALL, session_id: str = "s1") -> Any:
        return await self.claude.ask(call, self.asker(session_id))

    async def calls(self) -> list[ModelCall]:
        return await self.store.calls("s1")


@asynccontextmanager
async def rig(folder: Path, *rules: dict[str, Any], **settings: Any) -> AsyncIterator[Rig]:
    database = await Database.open(folder / "x.db")
    store = ModelCallStore(database)
    async with LoopbackMessages(read_script({"rules": list(rules)})) as server:
        configured = ClaudeSettings(
            **({"api_key": Secret(KEY), "base_url": server.base_url, "retry": QUICK} | settings)
        )
        claude = Claude(configured, store, ArtifactStore(folder / "artifacts", database))
        try:
            yield Rig(claude, server, store, folder)
        finally:
            await claude.close()
            await database.close()


def fault(times: int | None = 1, **fault: Any) -> dict[str, Any]:
    return {"fault": fault} | ({} if times is None else {"times": times})


async def test_an_answer_comes_with_what_it_cost(tmp_path: Path) -> None:
    usage = {
        "input_tokens": 100,
        "output_tokens": 50,
        "cache_read_input_tokens": 1000,
        "cache_creation_input_tokens": 300,
        "cache_creation": {"ephemeral_1h_input_tokens": 200, "ephemeral_5m_input_tokens": 100},
    }
    async with rig(tmp_path, {"reply": {"json": ANSWER, "usage": usage}}) as r:
        answer = await r.ask()
        (call,) = await r.calls()
        request = r.server.requests[0]

    assert json.loads(answer.text) == ANSWER
    # 4 and 20 dollars a million: 100 + 1000 / 10 + 100 * 1.25 + 200 * 2 tokens in, 50 out
    assert call.cost_micro_usd == (100 + 100 + 125 + 400) * 4 + 50 * 20
    assert call.outcome == "answered"
    assert call.request_id == "req_loopback_1"
    assert call.message_id == "msg_loopback_1"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert "x-api-key" not in request.headers
    assert request.headers["anthropic-version"] == "2026-10-21"
    assert request.headers["x-stainless-retry-count"] == "0"
    assert request.body["stream"] is True
    assert request.body["output_config"]["format"] == {"type": "json_schema", "schema": SCHEMA}
    assert "cache_control" not in request.body["system"][0]
    assert request.body["system"][1]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}


RETRIED = {
    "429 with a wait": fault(
        status=429, type="rate_limit_error", message="slow down", headers={"retry-after": "1"}
    ),
    "529": fault(times=2, status=529, type="overloaded_error", message="busy"),
    "502 with HTML": fault(status=502, html=True),
    "500": fault(status=500, type="api_error", message="oops"),
    "a body that is no JSON": fault(non_json=True),
    "dropped before headers": fault(drop=True),
    "an error event": fault(sse_error="overloaded_error", message="busy"),
    "a cut stream": fault(cut=True),
    "a stream without an end": fault(no_end=True),
    "an event that is no JSON": fault(bad_event=True),
}


@pytest.mark.parametrize("name", RETRIED)
async def test_what_may_pass_is_tried_again(name: str, tmp_path: Path) -> None:
    async with rig(tmp_path, RETRIED[name], GOOD) as r:
        answer = await r.ask()
        calls = await r.calls()

    assert json.loads(answer.text) == ANSWER
    assert len(r.server.requests) == len(calls) == 1 + RETRIED[name]["times"]
    assert [c.outcome for c in calls][-1] == "answered"
    assert all(c.outcome not in ("answered", "asking") for c in calls[:-1])
    assert {c.request_hash for c in calls} == {calls[0].request_hash}
    assert sum("again in" in f.text for f in r.told if isinstance(f, Note)) == len(calls) - 1


async def test_a_wait_of_an_hour_is_not_slept(tmp_path: Path) -> None:
    slow = fault(None, status=429, type="rate_limit_error", headers={"retry-after": "3600"})
    async with rig(tmp_path, slow) as r:
        with pytest.raises(UnreachableError, match="3600 s"):
            await r.ask()

    assert len(r.server.requests) == 1


ENDED: dict[str, tuple[dict[str, Any], type[BenchlineError], str]] = {
    "401": (
        {"status": 401, "type": "authentication_error", "message": f"bad key {KEY}"},
        NotPermittedError,
        "does not accept the key",
    ),
    "402": ({"status": 402, "type": "billing_error"}, NotReadyError, "cannot pay"),
    "403": ({"status": 403, "type": "permission_error"}, NotPermittedError, "does not accept"),
    "404": (
        {"status": 404, "type": "not_found_error", "message": "model: claude-nothing"},
        InvalidRequestError,
        "claude-nothing",
    ),
    "400": ({"status": 400, "type": "invalid_request_error"}, InvalidRequestError, "refuses"),
    "413": ({"status": 413, "type": "request_too_large"}, InvalidRequestError, "refuses"),
}


@pytest.mark.parametrize("name", ENDED)
async def test_what_will_not_pass_ends_at_once(name: str, tmp_path: Path) -> None:
    spoken, error, words = ENDED[name]
    async with rig(tmp_path, fault(None, **spoken)) as r:
        with pytest.raises(error, match=words) as raised:
            await r.ask()
        (call,) = await r.calls()

    assert len(r.server.requests) == 1
    assert call.cost_micro_usd == 0
    assert KEY not in f"{raised.value} {raised.value.facts} {call}"


async def test_tries_have_an_end(tmp_path: Path) -> None:
    async with rig(tmp_path, fault(None, status=529, type="overloaded_error")) as r:
        with pytest.raises(UnreachableError, match="3 tries, last overloaded"):
            await r.ask()

    assert len(r.server.requests) == 3


async def test_silence_ends_with_the_deadline(tmp_path: Path) -> None:
    policy = replace(QUICK, deadline_s=2)
    async with rig(tmp_path, fault(None, hang_s=60), retry=policy) as r:
        with pytest.raises(UnreachableError, match="deadline"):
            await r.ask()
        (call,) = await r.calls()

    assert call.outcome == "timeout"
    assert call.cost_micro_usd is None  # it may have been billed


async def test_silence_inside_a_try_is_a_timeout(tmp_path: Path) -> None:
    async with rig(tmp_path, fault(hang_s=60), GOOD, silence_s=2) as r:
        await r.ask()
        first, second = await r.calls()

    assert (first.outcome, second.outcome) == ("timeout", "answered")


async def test_events_that_nobody_knows_are_passed_over(tmp_path: Path) -> None:
    async with rig(tmp_path, {"reply": {"json": ANSWER, "unknown_event": True}}) as r:
        assert json.loads((await r.ask()).text) == ANSWER


async def test_a_refused_format_becomes_a_forced_tool_call_and_stays_one(tmp_path: Path) -> None:
    refused = fault(
        status=400,
        type="invalid_request_error",
        message="output_config.format: compiled grammar is too large",
    )
    async with rig(tmp_path, refused, GOOD) as r:
        first = await r.ask()
        again = await r.ask(replace(CALL, turns=(Turn(Role.USER, "another"),)))
        bodies = [request.body for request in r.server.requests]

    assert json.loads(first.text) == json.loads(again.text) == ANSWER
    assert ["tools" in body for body in bodies] == [False, True, True]
    assert bodies[1]["tool_choice"] == {"type": "tool", "name": "submit_word"}
    assert "format" not in bodies[1]["output_config"]


async def test_an_answer_that_is_too_long_is_asked_for_once_more(tmp_path: Path) -> None:
    cut = {"times": 1, "reply": {"text": '{"word": "y', "stop_reason": "max_tokens"}}
    async with rig(tmp_path, cut, GOOD) as r:
        answer = await r.ask()

    assert json.loads(answer.text) == ANSWER
    assert [q.body["max_tokens"] for q in r.server.requests] == [1000, 2000]


@pytest.mark.parametrize("reason", ["max_tokens", "model_context_window_exceeded"])
async def test_an_answer_that_never_fits_is_an_error(reason: str, tmp_path: Path) -> None:
    async with rig(tmp_path, {"reply": {"text": "{", "stop_reason": reason}}) as r:
        with pytest.raises(NotReadyError, match=reason):
            await r.ask()

    assert len(r.server.requests) == (2 if reason == "max_tokens" else 1)


@pytest.mark.parametrize("text", ["", "I would rather not."])
async def test_a_declined_wish_is_a_refusal(text: str, tmp_path: Path) -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": None}
    reply = {"text": text, "stop_reason": "refusal", "stop_details": details}
    async with rig(tmp_path, {"reply": reply}) as r:
        with pytest.raises(CallRefusedError, match="cyber") as raised:
            await r.ask()
        (call,) = await r.calls()

    assert raised.value.code == "E313"
    assert call.outcome == "answered"
    assert len(r.server.requests) == 1


async def test_an_answer_is_told_while_it_comes(tmp_path: Path) -> None:
    usage = {"input_tokens": 100, "output_tokens": 1000}
    slow = {"json": {"word": "y" * 400}, "pieces": 20, "slow_ms": 20, "usage": usage}
    async with rig(tmp_path, {"reply": slow}) as r:
        await r.ask()
        (kept,) = await r.calls()

    told = [fact for fact in r.told if isinstance(fact, ModelCall)]
    assert told[0].outcome == "asking"
    assert told[-1] == kept
    first = told[1]
    assert first.outcome == "answering"
    assert first.usage.all_input == 100
    assert 0 < first.reckoned_output < 400
    assert first.reckoned_micro_usd == 100 * 4 + first.reckoned_output * 20
    assert first.cost_micro_usd is None
    assert (kept.reckoned_output, kept.reckoned_micro_usd) == (0, None)


async def test_a_telling_that_fails_ends_the_try(tmp_path: Path) -> None:
    async def tell(fact: Fact) -> None:
        if isinstance(fact, ModelCall) and fact.outcome == "answering":
            raise ConflictError("STALE_FENCE", "another one leads the session")

    slow = {"json": {"word": "y" * 400}, "pieces": 20, "slow_ms": 20}
    async with rig(tmp_path, {"reply": slow}) as r:
        with pytest.raises(ConflictError):
            await r.claude.ask(CALL, Asker(session_id="s1", tell=tell))


async def test_cancelling_closes_the_stream(tmp_path: Path) -> None:
    slow = {"reply": {"json": {"word": "y" * 400}, "pieces": 200, "slow_ms": 50}}
    async with rig(tmp_path, slow) as r:
        asking = asyncio.create_task(r.ask())
        await r.server.arrived.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        (call,) = await r.calls()

    assert call.outcome == "cancelled"
    assert r.server.requests[0].finished == []


async def test_the_same_request_of_a_session_is_paid_once(tmp_path: Path) -> None:
    async with rig(tmp_path, GOOD) as r:
        first = await r.ask()
        again = await r.ask()
        other = await r.ask(session_id="s2")

    assert first == again
    assert other.message_id != first.message_id
    assert len(r.server.requests) == 2


async def test_an_answer_outlives_the_process(tmp_path: Path) -> None:
    async with rig(tmp_path, GOOD) as r:
        first = await r.ask()
    async with rig(tmp_path, fault(None, status=500)) as r:
        again = await r.ask()

    assert again == first
    assert r.server.requests == []


async def test_a_ceiling_is_kept_before_the_call(tmp_path: Path) -> None:
    costly = {"reply": {"json": ANSWER, "usage": {"input_tokens": 1000, "output_tokens": 1000}}}
    async with rig(tmp_path, costly, session_ceiling_micro_usd=30_000) as r:
        await r.ask()  # 4000 + 20000 millionths of a dollar
        with pytest.raises(CallRefusedError, match=r"session has spent \$0\.0240") as raised:
            await r.ask(replace(CALL, turns=(Turn(Role.USER, "more"),)))
        await r.ask(replace(CALL, turns=(Turn(Role.USER, "more"),)), session_id="s2")

    assert raised.value.code == "E311"
    assert raised.value.fix.startswith("Raise session_ceiling_usd")
    assert len(r.server.requests) == 2


@pytest.mark.parametrize("servers", [0, 5_000_000])
async def test_a_session_can_have_a_lower_ceiling_of_its_own(tmp_path: Path, servers: int) -> None:
    costly = {"reply": {"json": ANSWER, "usage": {"input_tokens": 1000, "output_tokens": 1000}}}
    async with rig(tmp_path, costly, session_ceiling_micro_usd=servers) as r:
        asker = r.asker(ceiling=30_000)
        await r.claude.ask(CALL, asker)
        more = replace(CALL, turns=(Turn(Role.USER, "more"),))
        with pytest.raises(CallRefusedError, match=r"of at most \$0\.0300") as raised:
            await r.claude.ask(more, asker)

    assert raised.value.code == "E311"
    assert "--ceiling" in raised.value.fix
    assert len(r.server.requests) == 1


async def test_the_month_has_a_ceiling_over_all_sessions(tmp_path: Path) -> None:
    costly = {"reply": {"json": ANSWER, "usage": {"input_tokens": 1000, "output_tokens": 1000}}}
    async with rig(tmp_path, costly, month_ceiling_micro_usd=30_000) as r:
        await r.ask()
        with pytest.raises(CallRefusedError, match="month has spent"):
            await r.ask(session_id="s2")


async def test_a_model_without_a_price_is_not_asked_under_a_ceiling(tmp_path: Path) -> None:
    unpriced = replace(CALL, model="claude-of-the-future")
    async with rig(tmp_path, GOOD) as r:
        with pytest.raises(CallRefusedError, match="price of claude-of-the-future"):
            await r.ask(unpriced)
    free = {"session_ceiling_micro_usd": 0, "month_ceiling_micro_usd": 0}
    async with rig(tmp_path, GOOD, **free) as r:
        await r.ask(unpriced)
        (call,) = await r.calls()
        spent = await r.store.spent_in_month(call.start_time)

    assert call.cost_micro_usd is None
    assert (spent.known_micro_usd, spent.unknown) == (0, 1)
    assert any("unknown" in f.text for f in r.told if isinstance(f, Note))


async def test_without_a_key_nothing_is_asked(tmp_path: Path) -> None:
    async with rig(tmp_path, GOOD, api_key=Secret("")) as r:
        with pytest.raises(CallRefusedError, match="not configured") as raised:
            await r.ask()

    assert "ANTHROPIC_API_KEY" in raised.value.fix
    assert r.server.requests == []


def written_below(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


async def test_the_key_is_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echoing = [
        fault(status=529, type="overloaded_error", message=f"Authorization: Bearer {KEY}"),
        fault(sse_error="api_error", message=KEY),
        {"reply": {"json": {"word": KEY}}},
    ]
    async with rig(tmp_path, *echoing) as r:
        with_key = replace(CALL, turns=(Turn(Role.USER, f"my key is {KEY}"),))
        answer = await r.ask(with_key)
        calls = await r.calls()

    assert KEY not in answer.text
    assert KEY not in repr(r.claude.settings)
    assert len(calls) == 3
    assert any(isinstance(fact, Artifact) for fact in r.told)
    assert KEY not in str(r.told)
    assert KEY not in caplog.text
    assert KEY not in str([vars(record) for record in caplog.records])
    written = written_below(tmp_path)
    assert len(written) >= 3  # the database, the request, the answer
    assert all(KEY.encode() not in data for data in written)
    assert all(KEY not in request.text for request in r.server.requests)
