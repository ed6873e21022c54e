"""Wrong variants of sketches that nobody has templates for."""

from controlplane.firmware.code_mutants import code_mutants
from controlplane.planning.adequacy import Adequacy, Fate, Trial
from tests.loopback_messages.answers import DEMO_SKETCH, STAIRCASE_SKETCH


def changed(sketch: str, mutant: str) -> list[tuple[str, str]]:
    pairs = zip(sketch.splitlines(), mutant.splitlines(), strict=True)
    return [(old.strip(), new.strip()) for old, new in pairs if old != new]


def test_each_variant_differs_in_one_line_outside_of_setup() -> None:
    for sketch in (DEMO_SKETCH, STAIRCASE_SKETCH):
        mutants = code_mutants(sketch, 100)
        assert mutants == code_mutants(sketch, 100)
        setup = sketch[sketch.index("void setup()") : sketch.index("void loop()")]
        for mutant in mutants:
            ((old, new),) = changed(sketch, mutant.text)
            assert old != new
            assert old not in setup.split("\n"), mutant.name


def test_times_levels_comparisons_calls_and_texts_are_all_wrong_once() -> None:
    told = " ".join(mutant.name for mutant in code_mutants(STAIRCASE_SKETCH, 100))
    assert "'3000' became '4500'" in told
    assert "level of lamp" in told
    assert "'>=' became '<'" in told
    assert "call in line" in told
    demo = " ".join(mutant.name for mutant in code_mutants(DEMO_SKETCH, 100))
    assert "'30.0' became '46.00'" in demo
    assert "'relay on' became" in demo
    assert "reading in line" in demo
    assert "4095" not in demo
    assert "115200" not in demo


DEBOUNCED = """#define DEBOUNCE 40
const unsigned long DEBOUNCE_MS = 30;
const unsigned long STABLE_MS{250UL};
void loop() {
  if (now - changedAt >= 20) f();
  if ((millis() - lastDebounceTime) > 50) f();
  if (down == pressed || now - changedAt < DEBOUNCE_MS) return;
  if (now - sampledAt >= 50) sample();
  if (now - changedAt >= 5000) f();
  if (level - raw > 5.5) f();
}
"""


def test_debouncing_is_left_out_once_where_it_is_told_by_its_name() -> None:
    mutants = code_mutants(DEBOUNCED, 100)
    told = [m.name for m in mutants if m.name.startswith("debounce time")]
    assert told == [
        "debounce time in line 1: '40' became '0'",
        "debounce time in line 2: '30' became '0'",
        "debounce time in line 3: '250' became '0'",
        "debounce time in line 5: '20' became '0'",
        "debounce time in line 6: '50' became '0'",
    ]
    assert not any("'375'" in mutant.name for mutant in mutants)
    swapped = [m.name.partition(":")[0] for m in mutants if m.name.startswith("comparison")]
    assert swapped == [f"comparison in line {line}" for line in (7, 8, 9, 10)]


def test_what_is_no_code_stays() -> None:
    sketch = (
        "// if (a >= 3000)\n#define T 5000\nvoid setup() { f(2000); }\nchar c[96];\nchar d[512];\n"
    )
    assert code_mutants(sketch, 100) == ()
    assert len(code_mutants(DEMO_SKETCH, 12)) == 12


def test_nine_of_ten_are_asked_for_and_nothing_judged_proves_nothing() -> None:
    noticed = [Trial(name="n", fate=Fate.NOTICED)] * 9
    survived = Trial(name="time in line 3", fate=Fate.SURVIVED)
    uncounted = Trial(name="u", fate=Fate.UNCOUNTED)
    found = Adequacy(trials=(*noticed, survived, uncounted))
    assert found.adequate
    assert "9 of 10" in found.told
    assert "1 could not be judged" in found.told
    worse = Adequacy(trials=(*noticed, survived, survived))
    assert not worse.adequate
    assert worse.survivors == "time in line 3; time in line 3"
    assert not Adequacy(trials=()).adequate
    assert not Adequacy(trials=(uncounted,)).adequate
