"""A server on 127.0.0.1 that speaks the Messages API, answers by script and records requests.

For tests in process: ``async with LoopbackMessages(script) as server: … server.base_url``. As a
program: ``python -m tests.loopback_messages SCRIPT [--port N] [--record FILE]``. The script's
format is in `script.py`.
"""

from tests.loopback_messages.script import Rule, Script, ScriptError, load_script, read_script
from tests.loopback_messages.server import LoopbackMessages, Recorded

__all__ = [
    "LoopbackMessages",
    "Recorded",
    "Rule",
    "Script",
    "ScriptError",
    "load_script",
    "read_script",
]
