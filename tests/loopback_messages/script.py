"""Scripts: which request gets which answer or fault. YAML or JSON.

```yaml
rules:                     # a request takes the first rule that fits and is not used up
  - nth: 2                 # only the 2nd request (from 1)
    marker: "repair"       # only requests whose body holds this text
    times: 1               # how often the rule may be used (default: always)
    reply:                 # an answer …
      json: {title: x}     #   written as JSON, or
      text: "words"        #   as it stands, or
      file: answer.json    #   from a file beside the script
      stop_reason: end_turn
      stop_details: {type: refusal, category: cyber, explanation: "…"}
      model: claude-opus-5-5        # default: the one that was asked
      usage: {input_tokens: 10, output_tokens: 5, cache_read_input_tokens: 0}
      pieces: 20           #   in how many deltas it is streamed
      slow_ms: 0           #   rest between deltas
      unknown_event: true  #   an event that nobody knows comes first
    fault:                 # … or a fault
      status: 529          #   an error answer
      type: overloaded_error
      message: "busy"
      headers: {retry-after: "1"}
      html: true           #   with a page of HTML as body
      non_json: true       #   200 with a body that is no JSON (or SSE)
      drop: true           #   the connection ends before any header
      hang_s: 30           #   nothing is sent for so long
      sse_error: overloaded_error   # an error event in the middle of the stream
      cut: true            #   the chunked stream breaks off
      no_end: true         #   the stream ends cleanly before message_delta
      bad_event: true      #   an event whose data is no JSON
count_tokens: 1234         # what count_tokens says
```
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_RULE = {"nth", "marker", "times", "reply", "fault"}
_REPLY = {
    "json",
    "text",
    "file",
    "stop_reason",
    "stop_details",
    "model",
    "usage",
    "pieces",
    "slow_ms",
    "unknown_event",
}
_FAULT = {
    "status",
    "type",
    "message",
    "headers",
    "html",
    "non_json",
    "drop",
    "hang_s",
    "sse_error",
    "cut",
    "no_end",
    "bad_event",
}
_TOP = {"rules", "count_tokens"}


class ScriptError(ValueError):
    """A script that cannot be read, with every problem."""


@dataclass
class Rule:
    """One rule; `left` is how often it may still be used, None: always."""

    nth: int | None = None
    marker: str = ""
    left: int | None = None
    reply: dict[str, Any] = field(default_factory=dict)
    fault: dict[str, Any] = field(default_factory=dict)

    def fits(self, number: int, body: str) -> bool:
        """Whether it is for the request of that number and text."""
        if self.left == 0 or self.nth not in (None, number):
            return False
        return self.marker in body


@dataclass
class Script:
    """Rules in their order."""

    rules: list[Rule] = field(default_factory=list)
    count_tokens: int = 1000

    def take(self, number: int, body: str) -> Rule | None:
        """The rule for a request; it is used once more."""
        rule = next((rule for rule in self.rules if rule.fits(number, body)), None)
        if rule is not None and rule.left is not None:
            rule.left -= 1
        return rule


def load_script(path: Path) -> Script:
    """Read a script file; `file` answers are looked for beside it."""
    return read_script(path.read_text("utf-8"), folder=path.parent)


def read_script(document: str | Mapping[str, Any], *, folder: Path | None = None) -> Script:
    """Read a script from its text or from the loaded document.

    Raises:
        ScriptError: naming every unknown key and wrong value.
    """
    loaded: Any = yaml.safe_load(document) if isinstance(document, str) else document
    if not isinstance(loaded, Mapping):
        raise ScriptError("a script is a mapping with the key rules")
    problems = _unknown(loaded, _TOP, "script")
    rules = []
    for index, entry in enumerate(loaded.get("rules", [])):
        where = f"rules[{index}]"
        problems += _unknown(entry, _RULE, where)
        reply, fault = dict(entry.get("reply") or {}), dict(entry.get("fault") or {})
        problems += _unknown(reply, _REPLY, f"{where}.reply")
        problems += _unknown(fault, _FAULT, f"{where}.fault")
        if bool(reply) == bool(fault):
            problems.append(f"{where}: give either a reply or a fault")
        if "file" in reply:
            reply["text"] = ((folder or Path()) / reply.pop("file")).read_text("utf-8")
        if "json" in reply:
            reply["text"] = json.dumps(reply.pop("json"), ensure_ascii=False)
        rules.append(
            Rule(
                nth=entry.get("nth"),
                marker=entry.get("marker", ""),
                left=entry.get("times"),
                reply=reply,
                fault=fault,
            )
        )
    if problems:
        raise ScriptError("; ".join(problems))
    return Script(rules=rules, count_tokens=loaded.get("count_tokens", 1000))


def _unknown(entry: Mapping[str, Any], known: set[str], where: str) -> list[str]:
    return [f"{where}: unknown key {key!r}" for key in entry if key not in known]
