import os
import subprocess
import sys
from pathlib import Path

import pytest

from tui.verbs import VERBS, build_parser

ROOT = Path(__file__).resolve().parents[3]


def test_help_loads_neither_grpc_nor_textual_nor_asyncio() -> None:
    code = (
        "import sys\nfrom tui.__main__ import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'grpc', 'google', 'textual', 'asyncio', 'yaml'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'proto'}"}
    child = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    assert "from a sentence" in child.stdout


@pytest.mark.parametrize(
    ("module", "late"),
    [
        ("tui.app", ("grpc", "google", "tui.screens.run", "tui.screens.new_run")),
        ("tui.headless.run_verb", ("tui.state.fact", "google.protobuf.json_format", "textual")),
    ],
)
def test_what_is_not_needed_at_first_is_loaded_late(module: str, late: tuple[str, ...]) -> None:
    code = f"import sys, {module}\nsys.exit(str([m for m in {late} if m in sys.modules] or ''))"
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'proto'}"}
    child = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.stderr.strip() == ""


@pytest.mark.parametrize("stage", ["simulate", "SIMULATE", "Simulate"])
def test_stages_are_named_in_any_case_of_letters(stage: str) -> None:
    assert build_parser().parse_args(["run", "x", "--until", stage]).until == "simulate"


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_every_verb_can_be_imported_and_explained(verb: str) -> None:
    entry = next(one for one in VERBS if one.name == verb)
    assert callable(entry.load())
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args([verb, "--help"])
    assert ended.value.code == 0


@pytest.mark.parametrize(
    "words",
    [
        ["run"],
        ["run", "x", "--from", "y"],
        ["run", "x", "--scenario", "y"],
        ["run", "x", "--seed", "-1"],
    ],
)
def test_what_run_cannot_mean_is_a_usage_error(words: list[str]) -> None:
    from tui.__main__ import main

    assert main(words) == 2


def design_words(*words: str) -> tuple[str, str, list[str], str | None]:
    options = build_parser().parse_args(["design", *words])
    problem = options.verb_entry.check(options)
    return options.action, options.prompt, options.words, problem


def test_a_quoted_sentence_is_a_prompt_and_other_words_are_actions() -> None:
    sentence = "Blink the LED at 2 Hz."

    assert design_words(sentence) == ("", sentence, [sentence], None)
    assert design_words("show", "thermo@2", "--wiring", "svg")[::2] == ("show", ["thermo@2"])
    assert design_words("diff", "a", "b")[2:] == (["a", "b"], None)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["Blink", "the", "LED"], "put what the device should do into quotes"),
        (["diff", "one"], "write `design diff DESIGN DESIGN`"),
        (["show", "x", "--field", "pins"], "--field goes with design edit"),
        (["list", "--wiring", "svg"], "--wiring goes with a PROMPT and design show"),
        ([" "], "say what the device should do"),
    ],
)
def test_words_that_make_no_sense_are_told(words: list[str], problem: str) -> None:
    assert design_words(*words)[3] == problem


def test_a_session_starts_from_one_thing() -> None:
    options = build_parser().parse_args(["run", "Blink.", "--design", "thermo"])

    assert "--design NAME" in options.verb_entry.check(options)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["stack"], "say what: plan, approve"),
        (["project"], "say what: export"),
        (["answer"], "required: SESSION\n"),
        (["sessions", "--limit", "0"], "not a number of at least 1"),
        (["flash", "--image", "a.bin", "--address", "zz"], "not a 32-bit address"),
        (["flash", "--image", "a.elf", "--max-failed", "many"], "not a share of 0% to 100%"),
    ],
)
def test_a_usage_error_names_its_cause(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        build_parser().parse_args(words)

    assert left.value.code == 2
    assert told in capsys.readouterr().err


def test_a_sentence_without_quotes_is_told() -> None:
    options = build_parser().parse_args(["run", "Blink", "the", "LED"])
    assert options.verb_entry.check(options) == "put what the device should do into quotes"
