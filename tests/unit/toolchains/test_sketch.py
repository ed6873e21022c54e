"""The preprocessing of sketches, as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.toolchains.sketch import SketchFile, preprocess


def cpp(text: str, *others: tuple[str, str]) -> str:
    files = [SketchFile(name="main.ino", text=text)]
    return preprocess(files + [SketchFile(name=name, text=body) for name, body in others])


def generated(text: str) -> list[str]:
    """The prototypes in the output that the input does not have."""
    lines = cpp(text).splitlines()
    return [line for line in lines if line.endswith(");") and line not in text.splitlines()]


def test_a_function_used_before_its_definition_gets_a_prototype() -> None:
    sketch = "void setup() { late(1); }\nint late(int n) { return n; }\n"

    assert generated(sketch) == ["int late(int n);"]


def test_code_that_is_cpp_already_is_only_framed() -> None:
    sketch = "int early(int n) { return n; }\nvoid setup() { early(1); }\n"

    assert cpp(sketch) == f'#include <Arduino.h>\n#line 1 "main.ino"\n{sketch}'


def test_the_prototype_stands_after_the_types_it_needs() -> None:
    sketch = (
        "void first() {}\n"
        "struct Point { int x; };\n"
        "void setup() { show(Point{1}); }\n"
        "void show(const Point &p) {}\n"
    )

    lines = cpp(sketch).splitlines()

    assert lines.index("struct Point { int x; };") < lines.index("void show(const Point &p);")


def test_default_arguments_move_to_the_prototype() -> None:
    sketch = "void setup() { late(); }\nvoid late(int n = 3, int m = 4) {}\n"

    out = cpp(sketch)

    assert "void late(int n = 3, int m = 4);" in out
    assert out.count("= 3") == 1


def test_comments_in_a_head_do_not_swallow_the_prototype() -> None:
    sketch = "void setup() { late(1); }\nvoid late(int n // the count\n) {}\n"

    assert generated(sketch) == ["void late(int n );"]


def test_overloads_all_get_prototypes() -> None:
    sketch = "void setup() { f(1); f('c'); }\nvoid f(int n) {}\nvoid f(char c) {}\n"

    assert generated(sketch) == ["void f(int n);", "void f(char c);"]


@pytest.mark.parametrize(
    "definition",
    [
        "template <class T> T late(T v) { return v; }",
        "constexpr int late(int n) { return n; }",
        "auto late(int n) { return n; }",
        "namespace deep { void late(int n) {} }",
        'extern "C" { void late(int n) {} }',
        "struct S { void late(int n) {} };",
        "void S::late(int n) {}",
        "ISR(late) { }",
    ],
)
def test_what_cannot_have_a_prototype_gets_none(definition: str) -> None:
    assert generated(f"void setup() {{ late(1); }}\n{definition}\n") == []


@pytest.mark.parametrize(
    "mention",
    ['const char *s = "late()";', "// late()", "/* late() */", 'const char *s = R"(late())";'],
)
def test_names_in_text_and_comments_are_no_mentions(mention: str) -> None:
    assert generated(f"{mention}\nvoid late() {{}}\n") == []


def test_a_local_variable_of_the_same_name_is_no_mention() -> None:
    sketch = "void setup() { int late = 1; late++; }\nstruct T {};\nvoid late(T t) {}\n"

    assert generated(sketch) == []


def test_a_prototype_of_the_author_is_left_alone() -> None:
    sketch = "void late(int n);\nvoid late(int n) {}\n"

    assert generated(sketch) == []


def test_the_prototype_of_a_conditional_function_keeps_its_condition() -> None:
    sketch = (
        "void setup() {\n#ifdef FAST\n  late();\n#endif\n}\n"
        "#ifdef FAST\nvoid late(Fast f) {}\n#else\nint late() { return 1; }\n#endif\n"
    )

    out = cpp(sketch)

    assert '#ifdef FAST\n#line 7 "main.ino"\nvoid late(Fast f);\n#endif' in out
    assert '#ifdef FAST\n#else\n#line 9 "main.ino"\nint late();\n#endif' in out


def test_each_branch_that_mentions_a_function_gets_its_prototype() -> None:
    sketch = "#if MODE\nvoid a() { late(); }\n#else\nvoid b() { late(); }\n#endif\nvoid late() {}\n"

    assert generated(sketch) == ["void late();", "void late();"]


def test_messages_name_the_author_s_files_and_lines() -> None:
    out = cpp("void setup() {}", ("b.ino", "int b;"), ("a.ino", "int a;"), ("c.cpp", "int c;"))

    assert out.splitlines()[1:] == [
        '#line 1 "main.ino"',
        "void setup() {}",
        "",
        '#line 1 "a.ino"',
        "int a;",
        "",
        '#line 1 "b.ino"',
        "int b;",
    ]


def test_a_file_name_cannot_end_its_line_directive() -> None:
    out = preprocess([SketchFile(name='x"\n#include "secret.ino', text="int x;")])

    assert '#line 1 "x\\"_#include \\"secret.ino"' in out


def test_a_sketch_without_its_main_file_is_refused() -> None:
    with pytest.raises(ValueError, match=r"main \.ino"):
        preprocess([SketchFile(name="a.cpp", text="")])


def test_deep_nesting_is_survived() -> None:
    cpp("int x = " + "(" * 20_000 + "1" + ")" * 20_000 + ";\n")
    cpp("#if 1\n" * 500 + "void f() {}\n" + "#endif\n" * 500)


@given(st.text(alphabet=st.sampled_from('void setup(){};#if\n"\\/*=,<>R1 é\x00'), max_size=200))
def test_every_line_of_any_text_is_kept(text: str) -> None:
    out = cpp(text)

    assert out.startswith("#include <Arduino.h>\n")
    assert all(line in out for line in text.split("\n") if "=" not in line)


def test_the_same_sketch_gives_the_same_text() -> None:
    names = [f"f{n}" for n in range(30)]
    sketch = "void setup() { " + " ".join(f"{n}();" for n in names) + " }\n"
    sketch += "".join(f"void {n}() {{}}\n" for n in names)

    assert generated(sketch) == [f"void {n}();" for n in names]
