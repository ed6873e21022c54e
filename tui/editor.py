"""An operator's own editor on a text."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from benchline.errors import InvalidRequestError

_FALLBACK = "vi"
LARGEST_BYTES = 1024 * 1024


def edit(text: str, *, suffix: str) -> str:
    """The text as the editor left it. Blocks: whoever calls has given the terminal away.

    ``VISUAL`` wins over ``EDITOR``; without both it is vi.

    Raises:
        InvalidRequestError: EDITOR_FAILED, it cannot be started, it ended with an error, or what
            it left is not text of at most 1 MiB.
    """
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or _FALLBACK
    with tempfile.TemporaryDirectory(prefix="benchline-") as folder:
        path = Path(folder) / f"design{suffix}"
        path.write_text(text, "utf-8")
        try:
            ended = subprocess.run([*shlex.split(editor), str(path)], check=False)
            with path.open("rb") as file:
                raw = file.read(LARGEST_BYTES + 1)
            left = raw.decode("utf-8")
        except (OSError, ValueError) as error:
            raise _failed(editor, str(error)) from error
    if ended.returncode:
        raise _failed(editor, f"it ended with {ended.returncode}, so nothing was taken")
    if len(raw) > LARGEST_BYTES:
        raise _failed(editor, f"what it left is larger than {LARGEST_BYTES} bytes")
    return left


def _failed(editor: str, why: str) -> InvalidRequestError:
    return InvalidRequestError(
        "EDITOR_FAILED", f"the editor {editor!r} did not work: {why}; EDITOR names another one"
    )
