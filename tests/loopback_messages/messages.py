"""Messages as the service writes them: whole, or as the events of a stream. Pure."""

import json
from typing import Any

Event = tuple[str, dict[str, Any]]


def error_body(kind: str, message: str) -> dict[str, Any]:
    """An error."""
    return {"type": "error", "error": {"type": kind, "message": message}}


def message_body(reply: dict[str, Any], request: dict[str, Any], number: int) -> dict[str, Any]:
    """A whole message; a forced tool call gets its answer as the tool's input."""
    forced = (request.get("tool_choice") or {}).get("type") == "tool"
    text = reply.get("text", "")
    stop = reply.get("stop_reason", "tool_use" if forced else "end_turn")
    content: dict[str, Any] = {"type": "text", "text": text}
    if forced:
        name = request["tool_choice"]["name"]
        content = {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": _input(text)}
    return {
        "id": f"msg_loopback_{number}",
        "type": "message",
        "role": "assistant",
        "model": reply.get("model") or request.get("model", "unknown"),
        "content": [content],
        "stop_reason": stop,
        "stop_sequence": None,
        "stop_details": reply.get("stop_details"),
        "usage": _usage(reply, request),
    }


def stream_events(reply: dict[str, Any], request: dict[str, Any], number: int) -> list[Event]:
    """The events of a streamed message, usage cumulative in the last but one."""
    whole = message_body(reply, request, number)
    block = whole["content"][0]
    usage = whole["usage"]
    start = whole | {"content": [], "stop_reason": None, "usage": usage | {"output_tokens": 1}}
    events: list[Event] = [("message_start", {"type": "message_start", "message": start})]
    if reply.get("unknown_event"):
        events.append(("weather", {"type": "weather", "sky": "blue"}))
    empty: dict[str, Any] = {"type": "text", "text": ""}
    if block["type"] == "tool_use":
        empty = block | {"input": {}}
    events += [
        (
            "content_block_start",
            {"type": "content_block_start", "index": 0, "content_block": empty},
        ),
        ("ping", {"type": "ping"}),
    ]
    text = reply.get("text", "")
    size = max(1, -(-len(text) // max(1, int(reply.get("pieces", 8)))))
    for at in range(0, len(text), size):
        piece = text[at : at + size]
        delta: dict[str, Any] = {"type": "text_delta", "text": piece}
        if block["type"] == "tool_use":
            delta = {"type": "input_json_delta", "partial_json": piece}
        data = {"type": "content_block_delta", "index": 0, "delta": delta}
        events.append(("content_block_delta", data))
    ended = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    if whole["stop_details"]:
        ended["stop_details"] = whole["stop_details"]
    events += [
        ("content_block_stop", {"type": "content_block_stop", "index": 0}),
        ("message_delta", {"type": "message_delta", "delta": ended, "usage": usage}),
        ("message_stop", {"type": "message_stop"}),
    ]
    return events


def _input(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return {}


def _usage(reply: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    usage = {
        "input_tokens": len(json.dumps(request)) // 4,
        "output_tokens": len(reply.get("text", "")) // 4 + 1,
    }
    return usage | (reply.get("usage") or {})
