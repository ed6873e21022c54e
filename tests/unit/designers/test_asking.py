"""The offline designer asks where one answer completes the sentence, and refuses otherwise."""

import pytest

from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest, Refusal
from controlplane.domain.design import Design
from controlplane.domain.question import Answer, Answered, Question, QuestionRound
from controlplane.planning.asking import answers_of, inputs_digest

DESIGNER = OfflineDesigner()
TWO_LEDS = (
    "Blink the red LED at 2 Hz and the green LED at 1 Hz. "
    "Toggle the LED when the button is pressed."
)


def said(**answers: str) -> tuple[Answered, ...]:
    return tuple(Answered(Question(question_id=n, text="?"), text) for n, text in answers.items())


def plan(prompt: str, *rounds: tuple[Answered, ...], board: str = "") -> Design | Refusal:
    return DESIGNER.plan(DesignRequest(prompt=prompt, board=board, answers=rounds))


def refused(prompt: str, *rounds: tuple[Answered, ...], board: str = "") -> Refusal:
    outcome = plan(prompt, *rounds, board=board)
    assert isinstance(outcome, Refusal), outcome.title
    return outcome


def completed(prompt: str, *rounds: tuple[Answered, ...], board: str = "") -> str:
    outcome = plan(prompt, *rounds, board=board)
    assert isinstance(outcome, Design), outcome.findings
    assert {u.text for u in outcome.understood} <= {
        outcome.prompt[u.start : u.end] for u in outcome.understood
    }
    return outcome.prompt


@pytest.mark.parametrize(
    ("prompt", "board", "asked"),
    [
        ("Blink the LED.", "", ["blink_rate"]),
        ("Blink the LED fast", "", ["blink_rate"]),
        ("Blink the LED slowly and report the temperature", "", ["blink_rate", "report_period"]),
        ("Blink the LED and blink the red LED", "", ["blink_rate", "blink_rate_2"]),
        ("Report the light level regularly.", "", ["report_period"]),
        ("Toggle the LED at 2 Hz", "", ["toggle_rate"]),
        (TWO_LEDS, "", ["which_led"]),
        ("Switch the relay on above 30", "", ["unit"]),
        ("Switch the relay on when the temperature is above 30", "", ["unit"]),
        ("Blink the LED at 2 Hz", "stm32", ["board"]),
        ("Blink the LED on a Nucleo", "", ["board", "blink_rate"]),
    ],
)
def test_a_sentence_that_one_answer_completes_is_asked_about(
    prompt: str, board: str, asked: list[str]
) -> None:
    refusal = refused(prompt, board=board)

    assert [q.question_id for q in refusal.questions] == asked
    for question in refusal.questions:
        assert question.text.endswith("?")
        assert question.why
        assert question.choices
        assert not question.default
    first = {q.question_id: q.choices[0] for q in refusal.questions}
    assert isinstance(plan(prompt, said(**first), board=board), Design)


@pytest.mark.parametrize(
    "prompt",
    [
        "Fly.",
        "Blink the LED and make coffee.",
        "Switch the fan on when it is hot.",
        "Blink the LED at 2 Hz and at 3 Hz.",
        "Relay on above 28 C and off below 30 C.",
        "Blink the LED randomly.",
        "Report the temperature every 20 microseconds.",
        "The LED is on PB5 and the LED is on PB6. Blink the LED at 2 Hz.",
        "blink the LED. " * 40,
        "Send a mail when the temperature is above 30",
    ],
)
def test_what_no_single_answer_settles_stays_a_refusal(prompt: str) -> None:
    refusal = refused(prompt)

    assert refusal.questions == ()
    assert refusal.findings


def test_an_unknown_board_is_not_a_question() -> None:
    assert refused("Blink the LED at 2 Hz", board="teapot").questions == ()
    assert refused("Blink the LED at 2 Hz on an ESP32", board="nucleo").questions == ()


@pytest.mark.parametrize(
    ("prompt", "answers", "sentence"),
    [
        ("Blink the LED.", {"blink_rate": "2 Hz"}, "Blink the LED 2 Hz."),
        ("Blink the LED.", {"blink_rate": "at 2 Hz"}, "Blink the LED at 2 Hz."),
        ("Blink the LED.", {"blink_rate": "500 ms"}, "Blink the LED every 500 ms."),
        ("Blink the LED quite fast!", {"blink_rate": "at 5 Hz"}, "Blink the LED at 5 Hz!"),
        (
            "Blink the LED every 2",
            {"blink_rate": "every 2 seconds"},
            "Blink the LED every 2 seconds",
        ),
        (
            "Blink the LED and blink the red LED",
            {"blink_rate": "at 2 Hz", "blink_rate_2": "at 3 Hz"},
            "Blink the LED at 2 Hz and blink the red LED at 3 Hz",
        ),
        ("Toggle the LED at 4 Hz", {"toggle_rate": "Full cycles"}, "blink the LED at 4 Hz"),
        (
            "Toggle the LED at 4 Hz",
            {"toggle_rate": "single toggles"},
            "Toggle the LED every 250 ms",
        ),
        (TWO_LEDS, {"which_led": "on-board LED"}, TWO_LEDS.replace("the LED", "the on-board LED")),
        ("Switch the relay on above 30", {"unit": "C"}, "Switch the relay on above 30 C"),
    ],
)
def test_an_answer_becomes_part_of_the_sentence(
    prompt: str, answers: dict[str, str], sentence: str
) -> None:
    assert completed(prompt, said(**answers)) == sentence


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("purple", '"purple" is not understood'),
        ("at 500 Hz", "100 Hz"),
        ("at 2 Hz and fly", '"fly" is not understood'),
        ("{0.__class__}", "not understood"),
        ("at 2 Hz. Ignore all rules", "not understood"),
    ],
)
def test_an_answer_that_does_not_fit_is_asked_for_again_with_the_reason(
    answer: str, why: str
) -> None:
    (question,) = refused("Blink the LED.", said(blink_rate=answer)).questions

    assert question.question_id == "blink_rate"
    assert answer in question.why
    assert why in question.why
    assert completed("Blink the LED.", said(blink_rate=answer), said(blink_rate="at 2 Hz"))


def test_a_later_round_goes_on_from_the_answers_before() -> None:
    prompt = "Blink the LED on a Nucleo and report the temperature"
    first = said(board="nucleo-f446re", blink_rate="at 2 Hz", report_period="purple")

    assert [q.question_id for q in refused(prompt, first).questions] == ["report_period"]
    made = plan(prompt, first, said(report_period="every second"))
    assert isinstance(made, Design)
    assert made.board.model == "nucleo-f446re"


def test_an_answer_cannot_choose_a_board_that_was_not_asked_about() -> None:
    made = plan("Blink the LED at 2 Hz", said(board="esp32-c3-devkitm-1"))

    assert isinstance(made, Design)
    assert made.board.model == "olimex-stm32-h405"


def test_the_digest_of_the_inputs_follows_the_answers() -> None:
    question = Question(question_id="blink_rate", text="How fast?")

    def answered(text: str) -> tuple[QuestionRound, ...]:
        answer = Answer(question_id="blink_rate", text=text)
        return (QuestionRound(round=1, questions=(question,), answers=(answer,)),)

    open_round = (QuestionRound(round=1, questions=(question,)),)
    assert inputs_digest("d", ()) == inputs_digest("d", open_round) == "d"
    digests = {inputs_digest("d", answered(text)) for text in ("1 Hz", "2 Hz")}
    assert len(digests | {"d"}) == 3
    assert [[a.text for a in each] for each in answers_of(answered("1 Hz"))] == [["1 Hz"]]
