"""What may be given to a compiler."""

import pytest

from controlplane.domain.build import SourceFile
from controlplane.toolchains.project import leak_findings, project_findings


def files(*paths: str) -> tuple[SourceFile, ...]:
    return tuple(SourceFile(path=path, content="") for path in ("a.ino", *paths))


def test_a_plain_project_is_accepted() -> None:
    assert project_findings("a", files("b.ino", "src/c.cpp", "d.h")) == []


@pytest.mark.parametrize(
    "path",
    ["/etc/x.h", "../x.h", "b/../../x.h", "b//c.h", "./b.h", "b\0.h", "-o.cpp", "Makefile", ".h"],
)
def test_a_path_that_could_leave_the_project_is_refused(path: str) -> None:
    assert len(project_findings("a", files(path))) == 1


def test_a_name_that_is_not_normalised_is_refused() -> None:
    assert project_findings("a", files("u\u0308.h"))


def test_two_names_that_differ_in_case_only_are_refused() -> None:
    assert project_findings("a", files("b.h", "B.h")) == ["'B.h' occurs twice"]


def test_too_many_and_too_large_files_are_refused() -> None:
    many = project_findings("a", files(*(f"f{n}.h" for n in range(40))))
    large = project_findings("a", (SourceFile(path="a.ino", content="x" * (256 * 1024 + 1)),))

    assert many == ["41 files are more than 40"]
    assert large == ["'a.ino' is larger than 256 KiB"]


def test_the_sketch_file_must_be_there() -> None:
    assert project_findings("b", files()) == ["the sketch file b.ino is missing"]


@pytest.mark.parametrize(
    "text",
    [
        '#include "/etc/passwd"',
        "#include </etc/passwd>",
        '# /* x */ include "../x"',
        '#inc\\\nlude "/etc/passwd"',
        '%:include "/etc/passwd"',
        "#include NAME",
        'asm(".incbin \\"/etc/passwd\\"");',
        '__asm__("nop");',
    ],
)
def test_a_leak_is_found(text: str) -> None:
    assert leak_findings((SourceFile(path="a.ino", content=text),))


def test_ordinary_includes_are_no_leak() -> None:
    text = '#include <Arduino.h>\n#include "src/a.h" // mine\n  #  include <stdint.h>\n'

    assert leak_findings((SourceFile(path="a.ino", content=text),)) == []
