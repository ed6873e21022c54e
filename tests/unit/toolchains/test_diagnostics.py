"""Compiler text as diagnostics; the text may be hostile."""

from hypothesis import given
from hypothesis import strategies as st

from controlplane.toolchains.diagnostics import (
    limit_named,
    read_compiler_output,
    read_linker_output,
)

FILES = {"Sketch.ino": "one\ntwo\nthree\nfour\n"}
GCC = (
    b'[{"kind": "error", "message": "bad", "locations": [{"caret": {"file": "./sketch/Sketch.ino",'
    b' "line": 3, "column": 2}}]}]\ncompilation terminated.\n'
)


def test_a_message_gets_the_operators_name_and_three_lines() -> None:
    found = read_compiler_output(GCC, FILES)

    assert found.has_errors
    assert found.rest == "compilation terminated."
    first = found.diagnostics[0]
    assert (first.file, first.line, first.column, first.message) == ("Sketch.ino", 3, 2, "bad")
    assert first.excerpt == "     2 | two\n>    3 | three\n     4 | four"


def test_linker_lines_are_told_apart() -> None:
    text = (
        b"/usr/bin/ld: a.o: in function `setup':\nSketch.ino:2: undefined reference to `f()'\n"
        b"ld: x.elf section `.bss' will not fit in region `RAM'\n"
        b"ld: region `RAM' overflowed by 12 bytes\n"
    )
    found = read_linker_output(text, FILES)

    assert [(d.file, d.line) for d in found] == [("Sketch.ino", 2), ("", 0)]


def test_limits_are_recognised() -> None:
    assert limit_named(b"virtual memory exhausted: Cannot allocate memory")
    assert not limit_named(b"error: expected ';'")


@given(st.binary(max_size=400))
def test_any_text_is_survived(text: bytes) -> None:
    read_compiler_output(text, FILES)
    read_compiler_output(b"[" + text + b"]", FILES)
    read_linker_output(text, FILES)
