"""Documented behaviour of the Arduino API, on the bench core in QEMU."""

from pathlib import Path

import pytest

from tests.process.bench_core.rig import END as END_SIGNAL
from tests.process.bench_core.rig import CompileError, Target, table, text_rows

SETUP = "void setup() { Serial.begin(115200); "


def printed(target: Target, folder: Path, *statements: str, preamble: str = "") -> list[str]:
    """What `Serial.println` of each expression gives."""
    body = " ".join(f"Serial.println({each});" for each in statements)
    sketch = f"{preamble}\n{SETUP}{body} }}\nvoid loop() {{ delay(1); }}\n"
    return target.prove(folder, sketch, end_ms=5).lines


def expect(target: Target, folder: Path, cases: dict[str, str], preamble: str = "") -> None:
    assert (
        dict(zip(cases, printed(target, folder, *cases, preamble=preamble), strict=True)) == cases
    )


def test_print_shows_numbers_as_documented(target: Target, tmp_path: Path) -> None:
    expect(
        target,
        tmp_path,
        {
            "78": "78",
            "-78": "-78",
            "1.23456": "1.23",
            "1.23456, 0": "1",
            "1.23456, 4": "1.2346",
            "-0.5, 1": "-0.5",
            "0.999": "1.00",
            "78, BIN": "1001110",
            "78, OCT": "116",
            "78, HEX": "4E",
            "-1, HEX": "FFFFFFFF",
            "'N'": "N",
            '"text"': "text",
            'F("flash")': "flash",
            "4294967295UL": "4294967295",
            "-9223372036854775807LL - 1": "-9223372036854775808",
            "18446744073709551615ULL": "18446744073709551615",
            "NAN": "nan",
            "-INFINITY": "-inf",
            "5e9": "ovf",
            "true": "1",
            "(byte)200": "200",
        },
    )


def test_string_follows_its_reference(target: Target, tmp_path: Path) -> None:
    expect(
        target,
        tmp_path,
        {
            "String(\"abc\") + 12 + 'x' + 1.5 + String(255, HEX)": "abc12x1.50FF",
            'String("abc").length()': "3",
            'String("hello").substring(4, 1)': "ell",
            'String("hello").substring(9)': "",
            'String("hello").indexOf("l")': "2",
            "String(\"hello\").lastIndexOf('l')": "3",
            'String("hello").lastIndexOf("l", 2)': "2",
            'String("hello").indexOf("z")': "-1",
            'String("Hello").equalsIgnoreCase("hELLO")': "1",
            'String("a").compareTo("b") < 0': "1",
            'String("42 apples").toInt()': "42",
            'String("apples").toInt()': "0",
            'String("3.25e2").toFloat()': "325.00",
            'String("x=1").startsWith("x=")': "1",
            'String("x=1").endsWith("=1")': "1",
            'String("abc").charAt(7) == 0': "1",
            "changed(0)": "heLLo",
            "changed(1)": "ho",
            "changed(2)": "trim",
            "changed(3)": "abab",
            "changed(4)": "a1b1",
            "changed(5)": "1000",
        },
        preamble="""
String changed(int how) {
  String s = "hello";
  if (how == 0) { s.replace('l', 'L'); }
  if (how == 1) { s.remove(1, 3); }
  if (how == 2) { s = "  trim\\t "; s.trim(); }
  if (how == 3) { s = "ab"; s += s; }
  if (how == 4) { s = "a--b--"; s.replace("--", "1"); }
  if (how == 5) { s = ""; for (int i = 0; i < 1000; i++) s += 'x'; s = String(s.length()); }
  return s;
}""",
    )


def test_printf_formats_reals_too(target: Target, tmp_path: Path) -> None:
    sketch = SETUP + r'Serial.printf("%d %5.2f %s %lu\n", -3, 2.5, "x", 7UL); } void loop() {}'

    assert target.prove(tmp_path, sketch, end_ms=5).text == b"-3  2.50 x 7\n"


def test_arithmetic_follows_its_reference(target: Target, tmp_path: Path) -> None:
    expect(
        target,
        tmp_path,
        {
            "map(512, 0, 1023, 0, 255)": "127",
            "map(5, 3, 3, 7, 9)": "7",
            "constrain(300, 0, 255)": "255",
            "min(3, 2.5)": "2.50",
            "max(n++, 0) + n": "3",
            "abs(-2.5)": "2.50",
            "sq(12)": "144",
            "bitRead(0b1010, 3)": "1",
            "highByte(0x1234)": "18",
            "lowByte(0x1234)": "52",
            "word(0x12, 0x34)": "4660",
            "seeded() == seeded()": "1",
            "random(5, 5)": "5",
            "isDigit('7') && !isAlpha('7') && isWhitespace(' ')": "1",
        },
        preamble="""
int n = 1;
long seeded() { randomSeed(7); long a = random(1000); return a * 1000 + random(10, 20); }""",
    )


def test_streams_are_parsed_as_documented(target: Target, tmp_path: Path) -> None:
    sketch = (
        SETUP
        + """ Serial.setTimeout(20); }
void loop() {
  if (!Serial.available()) return;
  Serial.println(Serial.parseInt());
  Serial.println(Serial.parseFloat());
  Serial.println(Serial.readStringUntil('\\n'));
  Serial.println(Serial.find("ok") ? "found" : "lost");
  char b[8];
  size_t n = Serial.readBytesUntil(';', b, sizeof b);
  b[n] = 0;
  Serial.println(b);
  Serial.println(Serial.readString());
  Serial.println(Serial.read());
}"""
    )

    trace = target.prove(
        tmp_path, sketch, text_rows(10, b"x-12,3.5 rest\nnoooookab;tail"), end_ms=200
    )

    assert trace.lines == ["-12", "3.50", " rest", "found", "ab", "tail", "-1"]


def test_delays_keep_the_millisecond_grid(target: Target, tmp_path: Path) -> None:
    sketch = "void setup() { pinMode(OUT_A, OUTPUT); }\nvoid loop() { toggle(); delay(7); }\n"
    sketch += "void toggle() { static bool on; on = !on; digitalWrite(OUT_A, on); }\n"

    times = [int(r.split()[0]) for r in target.prove(tmp_path, sketch, end_ms=300).of("PIN")]

    assert times == list(range(0, 300, 7))


def test_a_delay_begun_within_a_millisecond_ends_at_the_same_phase(
    target: Target, tmp_path: Path
) -> None:
    sketch = (
        SETUP
        + """
  for (int i = 0; i < 5; i++) {
    delay(1);
    delayMicroseconds(400);
    unsigned long before = micros();
    delay(3);
    Serial.println((micros() - before + 20) / 100);
  }
}
void loop() {}"""
    )

    assert target.prove(tmp_path, sketch, end_ms=60).lines == ["30"] * 5


def test_no_delay_ends_early_at_any_phase(target: Target, tmp_path: Path) -> None:
    sketch = (
        SETUP
        + """
  unsigned long shortest = 9999, longest = 0;
  for (unsigned phase = 0; phase < 1000; phase++) {
    delay(1);
    delayMicroseconds(phase);
    unsigned long before = micros();
    delay(2);
    unsigned long took = micros() - before;
    shortest = min(shortest, took);
    longest = max(longest, took);
  }
  Serial.println(shortest); Serial.println(longest);
}
void loop() {}"""
    )

    shortest, longest = map(int, target.prove(tmp_path, sketch, end_ms=5000).lines)

    assert 2000 - target.on_grid_us - 10 <= shortest
    assert longest <= 2030


def test_micros_and_millis_agree_and_never_go_back(target: Target, tmp_path: Path) -> None:
    sketch = (
        SETUP
        + """
  unsigned long last = micros(); int back = 0; long apart = 0;
  for (int i = 0; i < 20000; i++) {
    unsigned long ms = millis(), now = micros();
    if (now < last) back++;
    if ((long)(now / 1000 - ms) > 1) apart++;
    last = now;
    if (i % 1000 == 0) delay(2);
  }
  Serial.println(back); Serial.println(apart);
}
void loop() {}"""
    )

    assert target.prove(tmp_path, sketch, end_ms=3000).lines == ["0", "0"]


def test_a_short_wait_ends_with_interrupts_off(target: Target, tmp_path: Path) -> None:
    sketch = SETUP + "noInterrupts(); delayMicroseconds(3500); interrupts();"
    sketch += ' Serial.println("on"); }\nvoid loop() {}\n'

    assert target.prove(tmp_path, sketch, end_ms=20).lines == ["on"]


def test_global_objects_are_built_before_setup_and_may_use_the_core(
    target: Target, tmp_path: Path
) -> None:
    sketch = """
struct Base { virtual ~Base() {} virtual int id() = 0; };
struct Derived : Base {
  int n;
  Derived(int v) : n(v + (int)millis()) {}
  int id() override { return n; }
};
Derived derived(41);
String greeting = String("he") + "llo";
Base *made = nullptr;
int counted() { static Derived once(6); return once.id(); }
void setup() {
  Serial.begin(115200);
  made = new Derived(5);
  Serial.println(derived.id()); Serial.println(greeting); Serial.println(made->id());
  Serial.println(counted());
  delete made;
}
void loop() {}"""

    assert target.prove(tmp_path, sketch, end_ms=5).lines == ["41", "hello", "5", "6"]


def test_pulses_are_measured_and_shifted(target: Target, tmp_path: Path) -> None:
    sketch = (
        SETUP
        + """
  Serial.println((pulseIn(IN_C, HIGH, 500000) + 500) / 1000);
  Serial.println(pulseIn(IN_C, HIGH, 2000));
  pinMode(OUT_A, OUTPUT); pinMode(OUT_B, OUTPUT);
  shiftOut(OUT_A, OUT_B, MSBFIRST, 0xA0);
}
void loop() { delay(1); }"""
    )

    pulse = target.number("IN_C")
    trace = target.prove(tmp_path, sketch, [(10, pulse, 0, 1), (35, pulse, 0, 0)], end_ms=60)

    assert trace.lines == ["25", "0"]
    data = [r.split()[2] for r in trace.of("PIN") if r.split()[1] == target.pins["OUT_A"]]
    assert data == ["v=1", "v=0", "v=1", "v=0"]


@pytest.mark.parametrize("header", ["vector", "string", "map", "functional", "thread"])
def test_a_header_that_needs_a_library_says_which_toolchain_has_it(
    target: Target, tmp_path: Path, header: str
) -> None:
    with pytest.raises(CompileError, match=f"<{header}> needs the vendor toolchain"):
        target.build(tmp_path, f"#include <{header}>\nvoid setup() {{}}\nvoid loop() {{}}\n")


@pytest.mark.parametrize("call", ["analogWrite(OUT_A, 100)", "tone(OUT_A, 440)", "Wire.begin()"])
def test_what_is_not_implemented_is_not_declared(target: Target, tmp_path: Path, call: str) -> None:
    with pytest.raises(CompileError, match="was not declared"):
        target.build(tmp_path, f"void setup() {{ {call}; }}\nvoid loop() {{}}\n")


def test_the_small_standard_headers_work(target: Target, tmp_path: Path) -> None:
    headers = "new initializer_list type_traits utility array algorithm limits cmath cstdint"
    headers += " cstddef cstring cstdlib cstdio cctype climits cfloat cassert cinttypes cstdarg"
    expect(
        target,
        tmp_path,
        {
            "values[0]": "1",
            "total({1, 2, 3})": "6",
            "min(2, 3) + std::max(4, 5)": "7",
            "isnan(NAN) && !std::isnan(1.0f)": "1",
            "std::sqrt(2.0)": "1.41",
            "std::clamp(9, 1, 5)": "5",
            "std::numeric_limits<int16_t>::min()": "-32768",
            "std::make_pair(1, 2.5).second": "2.50",
        },
        preamble="".join(f"#include <{h}>\n" for h in headers.split())
        + """using namespace std;
static array<int, 3> values = {3, 1, 2};
static int total(std::initializer_list<int> list) {
  int t = 0;
  for (int v : list) t += v;
  return t;
}
struct Sorter { Sorter() { sort(values.begin(), values.end()); } } sorter;
""",
    )


def test_a_hostile_sketch_of_several_files_builds_and_runs(target: Target, tmp_path: Path) -> None:
    from controlplane.toolchains.sketch import SketchFile

    main = r"""
// void commented() { late(); }
const char *text = "late(); { } \" void fake() {";
const char *raw = R"x(void rawfake() { "late" })x";
void first() { Serial.println(late(1)); }
enum class Mode { kOn, kOff };
struct Pair { int a; int b; };
int table[] = { computed(), 2 };
#ifdef NEVER
void branch() { undefined_here(); }
#else
void branch() { Serial.println("else"); }
#endif
void setup() {
  Serial.begin(115200); first(); branch(); show(Pair{1, 2}, Mode::kOff);
  Serial.println(table[0]); Serial.println(name(3)); Serial.println(second_file(4));
  Serial.println(overload(1)); Serial.println(overload('c'));
}
void loop() { delay(1); }
int late(int n, int m = 2) { return n + m; }
static inline void
show(const Pair &p, // the pair
     Mode mode = Mode::kOn) { Serial.println(p.a + p.b + (mode == Mode::kOff ? 10 : 0)); }
int computed() { return 7; }
const char *name(int n) { return n == 3 ? "three" : "?"; }
int overload(int) { return 1; }
int overload(char) { return 2; }
"""
    others = [
        SketchFile(
            name="z.ino",
            text="int second_file(int n) { return n * helper(n); }\n"
            "int helper(int n) { return n + 1; }",
        )
    ]

    trace = target.run(target.build(tmp_path, main, others=others), table([(5, END_SIGNAL, 0, 0)]))

    assert trace.lines == ["3", "else", "13", "7", "three", "20", "1", "2"]


def test_messages_of_the_compiler_name_the_line_of_the_sketch(
    target: Target, tmp_path: Path
) -> None:
    with pytest.raises(CompileError, match=r"main\.ino:3:"):
        target.build(
            tmp_path, "void setup() { late(); }\nvoid loop() {}\nvoid late() { nonsense(); }\n"
        )
