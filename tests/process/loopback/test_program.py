"""The loopback server as a program: it says where it is, answers by script and records."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.loopback_messages import ScriptError, read_script

ROOT = Path(__file__).resolve().parents[3]


def test_it_serves_a_script_in_json_and_as_a_stream(tmp_path: Path) -> None:
    (tmp_path / "answer.json").write_text('{"word": "yes"}')
    (tmp_path / "script.yaml").write_text(
        "rules:\n  - marker: hello\n    reply: {file: answer.json}\ncount_tokens: 7\n"
    )
    record = tmp_path / "requests.jsonl"
    command = ["-m", "tests.loopback_messages", str(tmp_path / "script.yaml")]
    program = subprocess.Popen(
        [sys.executable, *command, "--record", str(record)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert program.stdout is not None
        url = program.stdout.readline().strip()

        def post(path: str, body: dict[str, object]) -> str:
            request = urllib.request.Request(
                f"{url}{path}", json.dumps(body).encode(), {"authorization": "Bearer secret"}
            )
            with urllib.request.urlopen(request, timeout=60) as answer:
                return str(answer.read().decode())

        body: dict[str, object] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
        whole = json.loads(post("/v1/messages", body))
        stream = post("/v1/messages", body | {"stream": True})
        counted = json.loads(post("/v1/messages/count_tokens", body))
    finally:
        program.terminate()
        program.communicate(timeout=60)

    assert whole["content"][0]["text"] == '{"word": "yes"}'
    names = [line.partition(": ")[2] for line in stream.splitlines() if line.startswith("event:")]
    assert (names[0], names[-2:]) == ("message_start", ["message_delta", "message_stop"])
    assert counted == {"input_tokens": 7}
    recorded = [json.loads(line) for line in record.read_text().splitlines()]
    assert [r["path"] for r in recorded] == ["/v1/messages"] * 2 + ["/v1/messages/count_tokens"]
    assert "secret" not in record.read_text()


def test_a_script_with_mistakes_tells_all_of_them() -> None:
    rules = [{"nth": 1}, {"reply": {"jsn": 1}}, {"fault": {"cut": True}, "wen": 1}]
    with pytest.raises(ScriptError) as caught:
        read_script({"rules": rules, "extra": 1})

    for word in ("extra", "rules[0]: give either", "'jsn'", "'wen'"):
        assert word in str(caught.value)
