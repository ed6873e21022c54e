"""Lines that ran and lines that did not, from addresses."""

from controlplane.domain.coverage import Coverage, LineRange
from controlplane.planning.coverage import MOST_RANGES, coverage_of, told
from controlplane.planning.evidence import Failure, digest

SKETCH = "one\ntwo\nthree\n\nfive\nsix\nseven\n"


def measured(*lines: int, ran: tuple[tuple[int, int], ...]) -> Coverage:
    """Each line has four bytes of code, at its number times four."""
    rows = [("a.ino", n, 4 * n, 4 * n + 4) for n in lines]
    return coverage_of("light", "qemu", rows, ran, {"a.ino": SKETCH})


def test_a_line_ran_when_any_of_its_code_did() -> None:
    found = measured(1, 2, 3, ran=((4, 6), (14, 16)))

    assert (found.executed, found.executable) == (2, 3)
    assert found.never_ran == (LineRange(file="a.ino", first=2, last=2, text="two"),)


def test_code_that_only_touches_a_line_does_not_run_it() -> None:
    assert [r.first for r in measured(1, 2, 3, ran=((4, 8), (12, 16))).never_ran] == [2]


def test_a_line_with_code_in_two_places_ran_when_one_of_them_did() -> None:
    rows = [("a.ino", 2, 8, 12), ("a.ino", 2, 100, 104)]
    found = coverage_of("light", "qemu", rows, ((100, 102),), {"a.ino": SKETCH})

    assert (found.executed, found.executable, found.never_ran) == (1, 1, ())


def test_neighbours_are_told_together_over_lines_without_code() -> None:
    found = measured(1, 3, 5, 6, 7, ran=((4, 8), (28, 32)))

    assert [(r.first, r.last) for r in found.never_ran] == [(3, 6)]
    assert found.never_ran[0].text == "three\n\nfive\nsix"


def test_ranges_of_two_files_stay_apart() -> None:
    rows = [("a.ino", 2, 8, 12), ("b.cpp", 3, 20, 24)]
    found = coverage_of("light", "qemu", rows, (), {"a.ino": SKETCH})

    assert [(r.file, r.first) for r in found.never_ran] == [("a.ino", 2), ("b.cpp", 3)]
    assert found.never_ran[1].text == ""


def test_there_is_an_end_to_what_is_told() -> None:
    rows = [("a.ino", n, 4 * n, 4 * n + 4) for n in range(1, 400)]
    ran = tuple((4 * n, 4 * n + 4) for n in range(1, 400, 2))
    found = coverage_of("light", "qemu", rows, ran, {})

    assert len(found.never_ran) == MOST_RANGES
    assert (found.executed, found.executable) == (200, 399)


def test_without_lines_nothing_is_known() -> None:
    found = measured(ran=((0, 100),))

    assert found.unknown
    assert "is not known" in told(found)


def evidence(coverage: Coverage | None) -> dict[str, str]:
    return {s.name: s.text for s in digest(Failure(message="m", coverage=coverage))}


def test_the_author_is_told_what_never_ran_with_its_text() -> None:
    text = evidence(measured(1, 2, 3, 5, ran=((4, 8),)))["never_ran"]

    assert text.splitlines()[0] == "1 of 4 lines with code ran in light on qemu"
    assert "a.ino:2-5 never ran" in text
    assert "    three" in text


def test_the_author_is_told_when_all_ran_and_when_nobody_knows() -> None:
    everything = evidence(measured(1, ran=((4, 8),)))["never_ran"]
    unknown = Coverage(scenario_id="light", runner="q", unknown="objdump was not found")

    assert "every line with code ran" in everything
    assert "objdump was not found" in evidence(unknown)["never_ran"]
    assert "never_ran" not in evidence(None)


def test_lines_of_a_hostile_sketch_stay_short_and_plain() -> None:
    sketch = "\n".join(["x" * 9000, "\x1b[2J\x07"] * 30)
    rows = [("a.ino", n, 4 * n, 4 * n + 4) for n in range(1, 60, 2)]
    ran = tuple((4 * n, 4 * n + 4) for n in range(3, 60, 4))
    found = coverage_of("light", "qemu", rows, ran, {"a.ino": sketch})
    text = evidence(found)["never_ran"]

    assert len(text) <= 3_000
    assert "\x1b" not in text
    assert "more places" in text
