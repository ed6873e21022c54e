"""Sources of a model: merged, linted, and put beside a header that only we write."""

import json

import pytest

from controlplane.catalog.loader import load_catalogue
from controlplane.designers.claude_reading import Wish, read_answer
from controlplane.domain.design import Design, DesignerStamp
from controlplane.domain.model_call import Role, Turn
from controlplane.firmware.board_pins import board_pins
from controlplane.firmware.claude import written
from controlplane.firmware.lint import HEADERS, MAX_FILE_BYTES, bare, lint
from controlplane.firmware.offline import OfflineAuthor
from controlplane.firmware.protocol import NotWritten
from tests.loopback_messages.answers import (
    CUSTOM_PROMPT,
    DEMO_PROMPT,
    DEMO_SKETCH,
    demo_design,
    sources,
    staircase_design,
)

STAMP = DesignerStamp(name="claude", version="1 test")


def designed(board: str = "olimex-stm32-h405", *, custom: bool = False) -> Design:
    answer = staircase_design(board) if custom else demo_design(board)
    prompt = CUSTOM_PROMPT if custom else DEMO_PROMPT
    wish = Wish(prompt=prompt, fixed=None, stamp=STAMP)
    made = read_answer(json.dumps(answer), wish, load_catalogue())
    assert isinstance(made, Design), made
    return made


DESIGN = designed()


def told(sketch: str, **more: str) -> str:
    files = {"sketch.ino": sketch} | {n.replace("_", "."): text for n, text in more.items()}
    return "\n".join(str(finding) for finding in lint(DESIGN, files))


def test_a_sketch_that_keeps_the_rules_passes() -> None:
    assert told(DEMO_SKETCH) == ""


def after(line: str) -> str:
    return DEMO_SKETCH.replace("void loop() {", f"{line}\nvoid loop() {{")


BROKEN = {
    "a pin by name": ("void f() { digitalWrite(PB0, HIGH); }", "PB0 is a pin by itself"),
    "a pin of the other family": ("int p = GPIO8;", "GPIO8"),
    "the built-in LED": ("int p = LED_BUILTIN;", "LED_BUILTIN"),
    "a pin by number": ("void f() { pinMode(16, OUTPUT); }", "pinMode is called with a number"),
    "a foreign header": ("#include <Wire.h>", "no header 'Wire.h'"),
    "a path": ('#include "/etc/passwd"', "no header '/etc/passwd'"),
    "a header by macro": ("#define H <x.h>\n#include H", "no header ''"),
    "a header by digraph": ("%:include <Wire.h>", "digraphs"),
    "a split directive": ("#inclu\\\nde <Wire.h>", "no header 'Wire.h'"),
    "assembler": ('void f() { asm("nop"); }', "assembler"),
    "an attribute": ("__attribute__((constructor)) void f() {}", "attributes"),
    "a register": ("void f() { *(volatile uint32_t *)0x40020014 = 1; }", "registers"),
    "a cast": ("int *p = reinterpret_cast<int *>(4);", "registers"),
    "a test build": ("#ifdef BENCH_TEST\n#endif", "test builds"),
    "records": ('void f() { BL.val("x", 1); }', "test builds"),
    "a line directive": ('#line 1 "x"', "directive"),
    "a pragma": ("#pragma GCC optimize (0)", "directive"),
    "a raw string": ('const char *s = R"(x)";', "raw string"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_a_rule_is_told_with_its_line(name: str) -> None:
    line, words = BROKEN[name]
    found = told(after(line))

    assert words in found
    assert "sketch.ino:" in found


@pytest.mark.parametrize(
    "line",
    [
        "// on PB0, by asm in BENCH_TEST builds",
        "/* #include <Wire.h>\n   PA5 */",
        'const char *text = "PA5 // asm";',
        "const char quote = '\"';  // PA5",
        "#pragma once",
        "#include <cmath>",
    ],
)
def test_comments_and_texts_are_no_code(line: str) -> None:
    assert told(after(line)) == ""


def test_a_pin_that_no_file_mentions_is_not_driven() -> None:
    assert "RELAY_PIN is used nowhere" in told(DEMO_SKETCH.replace("RELAY_PIN", "LED_PIN"))
    commented = DEMO_SKETCH.replace("RELAY_PIN", "LED_PIN") + "// RELAY_PIN\n"
    assert "RELAY_PIN is used nowhere" in told(commented)
    assert "used nowhere" not in told(DEMO_SKETCH, app_h="#pragma once\n")


def test_files_are_bounded() -> None:
    assert "bytes" in told(DEMO_SKETCH + "/" * (MAX_FILE_BYTES + 1))
    assert "U+001B" in told(DEMO_SKETCH + "\x1b")
    assert "there is no place" in "\n".join(
        str(f) for f in lint(DESIGN, {"sketch.ino": DEMO_SKETCH, "../x.h": ""})
    )
    assert "the sketch is missing" in "\n".join(str(f) for f in lint(DESIGN, {"app.h": ""}))


def test_blanking_keeps_lines() -> None:
    text = "a /* 1\n2\n3 */ \"x\\\"y\" // z\nb '\\'' c /* open\n"

    assert bare(text).count("\n") == text.count("\n")
    assert "x" not in bare(text)
    assert "open" not in bare(text)


def turn(role: Role, answer: object) -> Turn:
    return Turn(role, answer if isinstance(answer, str) else json.dumps(answer))


def test_repairs_replace_add_and_remove_whole_files() -> None:
    first = sources("one", app_h="h", app_cpp="c")
    second = {
        "files": [{"path": "sketch.ino", "content": "two"}, {"path": "app.cpp", "content": ""}],
        "notes": [],
    }
    turns = (
        turn(Role.USER, "task"),
        turn(Role.ASSISTANT, first),
        turn(Role.USER, "evidence"),
        turn(Role.ASSISTANT, second),
    )

    assert written(turns) == ({"sketch.ino": "two\n", "app.h": "h\n"}, ())


@pytest.mark.parametrize(
    "answer",
    [
        "prose",
        "",
        {"files": [], "notes": []},
        {"files": [{"path": "../x", "content": "a"}], "notes": []},
        {"files": [{"path": "app.h", "content": "a"}] * 2, "notes": []},
        {"files": [{"path": "sketch.ino"}], "notes": []},
    ],
)
def test_an_answer_that_cannot_be_taken_changes_nothing(answer: object) -> None:
    files, findings = written((turn(Role.ASSISTANT, sources("one")), turn(Role.ASSISTANT, answer)))

    assert files == {"sketch.ino": "one\n"}
    assert findings


@pytest.mark.parametrize(
    ("board", "lines"),
    [
        (
            "olimex-stm32-h405",
            ["LED_PIN = PC12;", "LED_ON = LOW;", "TEMPERATURE_FULL_SCALE_MV = 3300.0f;"],
        ),
        ("esp32-c3-devkitm-1", ["LED_ON = HIGH;", "TEMPERATURE_MV_AT_ZERO = 500.0f;"]),
    ],
)
def test_the_header_knows_pins_levels_and_scales(board: str, lines: list[str]) -> None:
    header = board_pins(designed(board))

    for line in (*lines, "RELAY_PIN", "TEMPERATURE_LOWEST = -40.0f;"):
        assert line in header
    assert "console" not in header.lower()


def test_the_button_s_level_and_resistor_are_in_the_header() -> None:
    header = board_pins(designed("esp32-c3-devkitm-1", custom=True))

    assert "BUTTON_MODE = INPUT_PULLUP;" in header
    assert "BUTTON_PRESSED = LOW;" in header


def test_headers_are_those_that_the_core_has() -> None:
    """Every C++ header that is allowed is one of the bench core's that do not stop the compiler."""
    from importlib.resources import files

    folder = files("controlplane.bench_core") / "src" / "std"
    for name in sorted(HEADERS):
        if "." not in name:
            text = (folder / name).read_text("utf-8")
            assert "vendor toolchain" not in text, name


async def test_the_offline_author_has_no_template_for_custom_behaviours() -> None:
    refused = await OfflineAuthor().write(designed(custom=True))

    assert isinstance(refused, NotWritten)
    assert refused.findings[0].subject == "staircase"
