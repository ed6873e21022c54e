"""Numbers of an evaluation, its file and its page."""

import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchline.errors import ConflictError, InvalidRequestError
from tests.unit.tui.evaluation.sessions import case_of
from tui.evaluation.oracle import Verdict
from tui.evaluation.page import renew_page
from tui.evaluation.results import Plan, Reason, Results, Trial, load
from tui.evaluation.scoring import exit_code, pass_at, score
from tui.evaluation.spending import Spending, spending_of
from tui.evaluation.telling import tell, trial_line

PLAN = Plan(
    title="A set",
    prompts_sha256="ab" * 32,
    cases=("blink_2hz", "dht22", "crossed_thresholds"),
    designer="offline",
    until="simulate",
    seed=1,
    repeat=2,
)
CASES = [case_of(name) for name in PLAN.cases]


def trial(case: str, verdict: Verdict, repeat: int = 1) -> Trial:
    return Trial(
        case=case,
        repeat=repeat,
        seed=5,
        tries=1,
        session="sessions/1",
        verdict=verdict,
        ending="REFUSED",
        stage="DESIGN",
        problems=("no | <b>such</b> `thing`\x1b[31m",),
        explained=True,
        reasons=(Reason(stage="DESIGN", code="E200", subject="x", message="no"),) * 2,
        repairs=1,
        wall_ms=1500,
    )


def results(*trials: Trial) -> Results:
    found = Results(plan=PLAN, run_id="r", machine="m", begun="2026-01-01T00:00:00+00:00")
    found.trials = {one.key: one for one in trials}
    return found


def test_the_score_counts_sessions_and_sentences() -> None:
    told = score(
        CASES,
        [
            trial("blink_2hz", Verdict.ACCEPTED_RIGHT),
            trial("blink_2hz", Verdict.FAILED, 2),
            trial("dht22", Verdict.NOT_OFFERED),
            trial("dht22", Verdict.NOT_OFFERED, 2),
            trial("crossed_thresholds", Verdict.REFUSED_RIGHT),
            trial("crossed_thresholds", Verdict.REFUSED_RIGHT, 2),
        ],
    )
    assert (told.cases, told.trials, told.k) == (3, 6, 2)
    assert told.pass_1 == pytest.approx((0.5 + 0 + 1) / 3)
    assert told.pass_k == pytest.approx(2 / 3)
    assert told.built_pass_1 == pytest.approx(0.25)
    assert told.repairs == 6
    assert told.reasons == {"DESIGN E200": 3}
    assert (told.spending, told.untold) == (None, 6)
    assert told.as_json()["cost_usd"] is None


@given(st.integers(1, 7).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
def test_pass_at_k_is_the_share_of_draws_with_a_right_one(numbers: tuple[int, int]) -> None:
    tries, right = numbers
    for k in range(1, tries + 1):
        draws = list(combinations(range(tries), k))
        hits = sum(min(draw) < right for draw in draws)
        assert pass_at(k, tries, right) == pytest.approx(hits / len(draws))


def test_the_exit_code_is_one_when_something_wrong_was_accepted() -> None:
    right, broken = trial("a", Verdict.REFUSED_WRONG), trial("b", Verdict.BROKEN)
    assert exit_code([right]) == 0
    assert exit_code([right, broken]) == 3
    assert exit_code([right, broken, trial("c", Verdict.ACCEPTED_WRONG)]) == 1


def test_a_result_file_is_read_back_as_it_was(tmp_path: Path) -> None:
    spent = Spending(input_tokens=3, microdollars=40)
    kept = results(trial("blink_2hz", Verdict.ACCEPTED_RIGHT))
    kept.trials["dht22", 2] = replace(trial("dht22", Verdict.BROKEN, 2), spending=spent)
    path = tmp_path / "r.json"
    kept.save(path, {"pass@1": 1})
    assert load(path, PLAN) == kept
    assert json.loads(path.read_text())["summary"] == {"pass@1": 1}
    assert [one.name for one in tmp_path.iterdir()] == ["r.json"]
    assert load(tmp_path / "none.json", PLAN) is None


def test_a_result_file_of_something_else_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    results().save(path)
    with pytest.raises(ConflictError) as caught:
        load(path, replace(PLAN, seed=2, designer="claude"))
    assert "designer, seed differ" in caught.value.message


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"evaluation": 2}', "[" * 9000])
def test_a_file_that_is_no_result_file_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(InvalidRequestError) as caught:
        load(path, PLAN)
    assert caught.value.reason == "RESULTS_UNREADABLE"


def test_the_page_keeps_what_is_not_between_the_markers_of_the_designer(tmp_path: Path) -> None:
    page = tmp_path / "p.md"
    page.write_text(
        "# Head\n<!-- results: offline -->\nformer\n<!-- end of results -->\nbetween\n"
        "<!-- results: claude -->\nkept\n<!-- end of results -->\ntail\n"
    )
    done = results(trial("dht22", Verdict.NOT_OFFERED))
    told = score(CASES, list(done.trials.values()))
    renew_page(page, done, told)
    renew_page(page, done, told)
    text = page.read_text()
    assert text.startswith("# Head\n<!-- results: offline -->\n\nOn 2026-01-01")
    assert text.endswith("between\n<!-- results: claude -->\nkept\n<!-- end of results -->\ntail\n")
    assert "former" not in text
    assert "<b>" not in text
    assert "\x1b" not in text
    assert "| `dht22` | not-offered |" in text
    page.write_text("no markers")
    with pytest.raises(InvalidRequestError):
        renew_page(page, done, told)


def test_the_table_says_that_a_cost_is_unknown() -> None:
    done = results(trial("dht22", Verdict.NOT_OFFERED))
    told = score(CASES, list(done.trials.values()))
    assert any("none: nothing is asked of a model" in line for line in tell(done, told))
    done.plan = replace(PLAN, designer="claude")
    assert any("unknown; 1 sessions told nothing" in line for line in tell(done, told))
    assert "\x1b" not in trial_line(trial("dht22", Verdict.NOT_OFFERED))


def test_spending_is_read_where_a_session_tells_it() -> None:
    begun = {"callId": "a", "outcome": "asking", "worstMicroUsd": "9000"}
    usage = {"freshInput": "7", "cacheRead": "3", "output": 5}
    ended = begun | {"outcome": "answered", "usage": usage, "costMicroUsd": "1200"}
    lost = begun | {"callId": "b", "outcome": "cut"}
    assert spending_of([]) == Spending()
    assert spending_of([begun, ended, lost]) == Spending(
        calls=2,
        unknown=1,
        input_tokens=10,
        cached_tokens=3,
        output_tokens=5,
        microdollars=1200,
        at_most=10_200,
    )
