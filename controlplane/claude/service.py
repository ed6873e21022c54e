"""Asks Claude: within ceilings, a deadline and a number of tries; each answer is paid for once.

Order matters. A try is in the ledger before it is made; its answer is stored before it is used; a
session that comes again with the same request gets the stored answer. So a crash at any moment
costs at most the one try that was under way.
"""

import asyncio
import logging
import random
import time
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from benchline.errors import (
    BenchlineError,
    InvalidRequestError,
    NotPermittedError,
    NotReadyError,
    UnreachableError,
)
from controlplane.claude.calls import (
    Asker,
    Call,
    CallRefusedError,
    Form,
    Progress,
    Turn,
    body_hash,
    body_text,
)
from controlplane.claude.prices import Price
from controlplane.claude.retry import UNBILLED, FailureKind, TryFailedError, next_wait
from controlplane.claude.settings import HOW_TO_CONFIGURE, ClaudeSettings
from controlplane.claude.streaming import StreamTelling
from controlplane.domain.event import Note
from controlplane.domain.model_call import ModelAnswer, ModelCall, Spent, TokenUsage, usd
from controlplane.storage.artifacts import ArtifactStore
from controlplane.storage.model_calls import Ceiling, CeilingReached, ModelCallStore

log = logging.getLogger(__name__)


class Sender(Protocol):
    """What carries a request to the service and an answer back."""

    async def send(self, body: Any, form: Form, progress: Progress) -> ModelAnswer:
        """Ask once."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Try:
    """A try that is to be made."""

    asker: Asker
    call: Call
    form: Form
    number: int


class Claude:
    """The service as designers and authors see it."""

    def __init__(
        self, settings: ClaudeSettings, store: ModelCallStore, artifacts: ArtifactStore
    ) -> None:
        self.settings = settings
        self._store = store
        self._artifacts = artifacts
        self._sender: Sender | None = None
        self._loading = asyncio.Lock()
        self._without_format: set[str] = set()

    async def close(self) -> None:
        """Close the connections to the service."""
        if self._sender is not None:
            await self._sender.close()

    async def spent_this_month(self) -> Spent:
        """What the calls of this calendar month (UTC) have cost."""
        return await self._store.spent_in_month(datetime.now(UTC))

    async def ask(self, call: Call, asker: Asker) -> ModelAnswer:
        """The answer to a call: the stored one, or a new one.

        Raises:
            CallRefusedError: E310 not configured, E311 a ceiling, E312 the price is unknown,
                E313 the model declined.
            UnreachableError: CLAUDE_UNREACHABLE, with what happened last.
            NotPermittedError: CLAUDE_KEY_REFUSED.
            NotReadyError: CLAUDE_BILLING or CLAUDE_TRUNCATED.
            InvalidRequestError: CLAUDE_REQUEST_REFUSED.
        """
        key = self.settings.api_key
        turns = tuple(Turn(turn.role, key.removed_from(turn.text)) for turn in call.turns)
        call = replace(call, turns=turns)
        answer = await self._whole(call, asker)
        if not answer.complete and answer.stop_reason == "max_tokens":
            longer = replace(call, max_tokens=call.max_tokens * 2)
            limits = f"{call.max_tokens:,} tokens, asked once more with {longer.max_tokens:,}"
            await asker.tell(Note(text=f"Claude's answer was cut off at {limits}"))
            answer = await self._whole(longer, asker)
        if answer.refusal:
            raise CallRefusedError(
                "E313",
                f"Claude declined to answer ({answer.refusal}).",
                "Say the wish in other words, or use the offline designer.",
            )
        if not answer.complete:
            raise NotReadyError(
                "CLAUDE_TRUNCATED",
                f"Claude's answer did not fit ({answer.stop_reason}); ask for less at once, or "
                "raise [claude] max_tokens",
                stop_reason=answer.stop_reason,
            )
        return answer

    async def _whole(self, call: Call, asker: Asker) -> ModelAnswer:
        form = Form.TOOL if call.model in self._without_format else Form.FORMAT
        answer = await self._stored_or_asked(call, form, asker)
        if answer is None:
            self._without_format.add(call.model)
            await asker.tell(
                Note(text="the service refused the answer's format; asked as a forced tool call")
            )
            answer = await self._stored_or_asked(call, Form.TOOL, asker)
        if answer is None:
            raise InvalidRequestError(
                "CLAUDE_REQUEST_REFUSED", "the service refuses the shape of the answer"
            )
        return answer

    async def _stored_or_asked(self, call: Call, form: Form, asker: Asker) -> ModelAnswer | None:
        """An answer; None when the service refuses this form."""
        body = call.body(form)
        stored = await self._store.answer(asker.session_id, body_hash(body))
        if stored is not None:
            made, answer = stored
            await self._keep(asker, body, made, answer)
            note = f"Claude's answer {made.call_id[:8]} ({made.purpose}) was received before"
            await asker.tell(Note(text=f"{note}; it is used again and costs nothing"))
            return answer
        return await self._ask(call, form, asker, body)

    async def _ask(
        self, call: Call, form: Form, asker: Asker, body: dict[str, Any]
    ) -> ModelAnswer | None:
        policy, began = self.settings.retry, time.monotonic()
        for number in range(1, policy.tries + 1):
            this = _Try(asker=asker, call=call, form=form, number=number)
            left = policy.deadline_s - (time.monotonic() - began)
            try:
                return await self._try(this, body, left)
            except TryFailedError as error:
                failure = error
            if failure.kind is FailureKind.FORMAT_REFUSED and form is Form.FORMAT:
                return None
            wait = next_wait(
                policy,
                failure.kind,
                failures=number,
                asked_s=failure.retry_after_s,
                elapsed_s=time.monotonic() - began,
                jitter=random.random(),  # noqa: S311 - spreads load, guards nothing
            )
            if wait is None:
                raise _ended(failure.kind, failure.message, number, failure.retry_after_s)
            told = (
                f"Claude ({call.purpose}), try {number}: {failure.message}; again in {wait:.0f} s"
            )
            await asker.tell(Note(text=told))
            await asyncio.sleep(wait)
        raise AssertionError("the policy ends the tries")

    async def _try(self, this: _Try, body: dict[str, Any], left_s: float) -> ModelAnswer:
        sender = await self._connected()
        entry = await self._reserve(this, body)
        await this.asker.tell(entry)
        began = time.monotonic()
        try:
            telling = StreamTelling(
                entry, self.settings.prices.price(entry.model_asked), this.asker.tell
            )
            async with asyncio.timeout(left_s), telling:
                answer = await sender.send(body, this.form, telling.take)
        except TryFailedError as error:
            await self._fail(this, self._failed(entry, error, began))
            raise
        except TimeoutError:
            late = TryFailedError(FailureKind.TIMEOUT, "the deadline of the call passed")
            await self._fail(this, self._failed(entry, late, began))
            raise late from None
        except asyncio.CancelledError:
            await asyncio.shield(self._store.settle(replace(entry, outcome="cancelled"), None))
            raise
        answer = replace(answer, text=self.settings.api_key.removed_from(answer.text))
        settled = self._settled(entry, answer, began)
        await self._store.settle(settled, answer)
        await self._keep(this.asker, body, settled, answer)
        await self._tell(this.asker, settled)
        return answer

    async def _fail(self, this: _Try, entry: ModelCall) -> None:
        await self._store.settle(entry, None)
        await this.asker.tell(entry)

    async def _connected(self) -> Sender:
        if not self.settings.configured:
            raise CallRefusedError("E310", "Claude is not configured.", HOW_TO_CONFIGURE)
        async with self._loading:
            if self._sender is None:
                self._sender = await asyncio.to_thread(_transport, self.settings)
            return self._sender

    async def _reserve(self, this: _Try, body: dict[str, Any]) -> ModelCall:
        call, settings = this.call, self.settings
        price = settings.prices.price(call.model)
        ceilings = _ceilings(settings, this.asker)
        if price is None and ceilings:
            raise CallRefusedError(
                "E312",
                f"The price of {call.model} is not known, so no ceiling can be kept.",
                "Give price_input and price_output (dollars a million tokens) in [claude] of "
                "benchline.toml, or set both ceilings to 0.",
            )
        worst = price.worst(len(body_text(body).encode()), call.max_tokens) if price else None
        entry = ModelCall(
            call_id=uuid.uuid4().hex,
            session_id=this.asker.session_id,
            attempt=this.asker.attempt,
            purpose=call.purpose,
            number=this.number,
            model_asked=call.model,
            request_hash=body_hash(body),
            start_time=datetime.now(UTC),
            worst_micro_usd=worst,
        )
        reached = await self._store.reserve(entry, ceilings)
        if reached is not None:
            raise _refused_by(reached, worst or 0, settings)
        return entry

    def _settled(self, entry: ModelCall, answer: ModelAnswer, began: float) -> ModelCall:
        return replace(
            entry,
            outcome="answered",
            model=answer.model,
            message_id=answer.message_id,
            request_id=answer.request_id,
            stop_reason=answer.stop_reason,
            usage=answer.usage,
            cost_micro_usd=self._cost(answer.model or entry.model_asked, answer.usage),
            latency_ms=round((time.monotonic() - began) * 1000),
        )

    def _failed(self, entry: ModelCall, error: Any, began: float) -> ModelCall:
        """How a failed try is entered: free if the service refused it, else as far as known."""
        cost: int | None = None
        if error.usage is None and error.kind in UNBILLED:
            cost = 0
        return replace(
            entry,
            outcome=error.kind.value,
            message=error.message,
            request_id=error.request_id,
            usage=error.usage or TokenUsage(),
            cost_micro_usd=cost,
            latency_ms=round((time.monotonic() - began) * 1000),
        )

    def _cost(self, model: str, usage: TokenUsage) -> int | None:
        price: Price | None = self.settings.prices.price(model)
        return None if price is None else price.cost(usage)

    async def _keep(
        self, asker: Asker, body: dict[str, Any], made: ModelCall, answer: ModelAnswer
    ) -> None:
        """Keep request and answer as artifacts of the session."""
        name = f"claude.{made.purpose}.{made.call_id[:8]}"
        texts = {"request.json": body_text(body), "answer.json": answer.text}
        for ending, text in texts.items():
            data = self.settings.api_key.removed_from(text).encode("utf-8", "replace")
            stored = await self._artifacts.put(
                data, kind=f"{name}.{ending}", filename=f"{name}.{ending}"
            )
            await asker.tell(stored)

    async def _tell(self, asker: Asker, made: ModelCall) -> None:
        usage = made.usage
        log.info(
            "claude answered",
            extra={
                "session": made.session_id,
                "purpose": made.purpose,
                "model": made.model,
                "call": made.call_id,
                "request_id": made.request_id,
                "cost": usd(made.cost_micro_usd),
            },
        )
        await asker.tell(made)
        await asker.tell(
            Note(
                text=f"Claude ({made.purpose}, {made.model}): {usage.all_input:,} tokens in "
                f"({usage.cache_read:,} cached), {usage.output:,} out, "
                f"{made.latency_ms / 1000:.1f} s, {usd(made.cost_micro_usd)}"
            )
        )


def _transport(settings: ClaudeSettings) -> Sender:
    from controlplane.claude.client import Transport  # loads the SDK: only when it is needed

    return Transport(settings)


def _ceilings(settings: ClaudeSettings, asker: Asker) -> list[Ceiling]:
    own = [asker.ceiling_micro_usd, settings.session_ceiling_micro_usd]
    found = [Ceiling(of="month", micro_usd=settings.month_ceiling_micro_usd)]
    if asker.session_id:
        lowest = min((one for one in own if one > 0), default=0)
        found.insert(0, Ceiling(of="session", micro_usd=lowest))
    return [ceiling for ceiling in found if ceiling.micro_usd > 0]


def _refused_by(reached: CeilingReached, worst: int, settings: ClaudeSettings) -> CallRefusedError:
    of, spent = reached.ceiling.of, reached.spent_micro_usd
    own = of == "session" and reached.ceiling.micro_usd != settings.session_ceiling_micro_usd
    higher = "Start the session with a higher ceiling (`--ceiling`), or raise" if own else "Raise"
    return CallRefusedError(
        "E311",
        f"The next call can cost {usd(worst)} and the {of} has spent "
        f"{usd(spent)} of at most {usd(reached.ceiling.micro_usd)}.",
        f"{higher} {of}_ceiling_usd in [claude] of benchline.toml, or use a cheaper model.",
    )


def _ended(kind: FailureKind, message: str, tries: int, asked_s: float | None) -> BenchlineError:
    """The error of a call that is given up."""
    if kind is FailureKind.KEY_REFUSED or kind is FailureKind.NOT_PERMITTED:
        return NotPermittedError(
            "CLAUDE_KEY_REFUSED",
            f"the service does not accept the key for this: {message}",
            said=message,
        )
    if kind is FailureKind.BILLING:
        return NotReadyError(
            "CLAUDE_BILLING", f"the account of the key cannot pay: {message}", said=message
        )
    if kind in (FailureKind.BAD_REQUEST, FailureKind.NOT_FOUND, FailureKind.TOO_LARGE) or (
        kind is FailureKind.FORMAT_REFUSED
    ):
        return InvalidRequestError(
            "CLAUDE_REQUEST_REFUSED", f"the service refuses the request: {message}", said=message
        )
    waits = f" (it asks to wait {asked_s:.0f} s)" if asked_s else ""
    return UnreachableError(
        "CLAUDE_UNREACHABLE",
        f"Claude gave no answer in {tries} tries, last {kind.value}: {message}{waits}",
        tries=str(tries),
        said=message,
    )
