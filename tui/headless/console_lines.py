"""Console bytes on stdout: as lines, as they came, or as JSON."""

import sys

from benchline.v1 import console_pb2
from tui.headless.output import data, json_line
from tui.state.console import ConsoleText


class ConsoleLines:
    """Prints the chunks of one console. Records of the bench core are lines when asked for."""

    def __init__(self, *, json: bool, raw: bool, records: bool) -> None:
        self._json = json
        self._raw = raw
        self._records = records
        self._text: ConsoleText | None = None

    def print(self, chunk: console_pb2.ConsoleChunk) -> None:
        """Print what a chunk finishes."""
        if self._json:
            data(json_line(chunk, whole=True))
            return
        if self._raw:
            sys.stdout.buffer.write(chunk.data)
            sys.stdout.buffer.flush()
            return
        if self._text is None:
            self._text = ConsoleText(max_lines=1, start=chunk.offset)
        for line in self._text.feed(chunk.data, offset=chunk.offset, gap=chunk.gap_before):
            if self._records or not line.record:
                data(f"· {line.text}" if line.record else line.text)
