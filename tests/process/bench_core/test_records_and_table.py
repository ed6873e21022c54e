"""Test records and the stimulus table, on the bench core of every part."""

import re
import subprocess
from pathlib import Path

import pytest

from controlplane.toolchains.elf import segments
from tests.process.bench_core.rig import (
    ANALOG,
    DIGITAL,
    END,
    ESP32C3,
    STM32F405,
    Target,
    table,
    text_rows,
)

IDLE = "void setup() { Serial.begin(115200); }\nvoid loop() { delay(1); }\n"
NO_TABLE_STOP = rb"\x1eBL \d+ READY\n"


def test_boot_names_the_build_the_run_and_the_sources(target: Target, tmp_path: Path) -> None:
    trace = target.prove(tmp_path, IDLE, end_ms=3)

    boot, *others = trace.records
    started = re.fullmatch(r"(.*) reset=(\w+) clk=(\S+)", boot)
    assert started is not None
    assert started[1] == (
        f"BL 0 BOOT core=1 part={target.port.part} build=0123456789ab design=none nonce=c0ffee01"
        " sources=injected"
    )
    assert started[2] in {"power", "unknown"}
    assert started[3] == {"stm32": "sim-168", "esp32": "xtal40-40"}[target.port.family]
    assert others == ["BL 0 READY", "BL 3 END dropped=0"]


def test_without_a_table_everything_is_real(target: Target, tmp_path: Path) -> None:
    for blank in (None, b"\xff" * 1024):
        trace = target.run(target.build(tmp_path, IDLE), blank, stop=NO_TABLE_STOP)

        assert "nonce=none sources=real" in trace.records[0]
        assert trace.of("ERR") == []


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda t: t[:-1] + bytes([t[-1] ^ 1]), "table-crc"),
        (lambda t: t[:16] + bytes(4) + t[20:], "table-crc"),
        (lambda t: b"BTL9" + t[4:], "table-magic"),
        (lambda t: t[:4] + b"\x02" + t[5:], "table-version"),
        (lambda t: t[:6] + b"\xff\xff" + t[8:], "table-size"),
    ],
)
def test_a_damaged_table_is_reported_and_injects_nothing(
    target: Target, tmp_path: Path, damage: object, code: str
) -> None:
    assert callable(damage)
    stimuli = damage(table([(0, ANALOG + target.number("ANALOG_A"), 0, 4095), (9, END, 0, 0)]))
    trace = target.run(target.build(tmp_path, IDLE), stimuli, stop=NO_TABLE_STOP)

    assert trace.of("ERR") == [f"0 {code}"]
    assert "nonce=none sources=real" in trace.records[0]


def test_rows_are_applied_on_their_millisecond(target: Target, tmp_path: Path) -> None:
    sketch = """
int shown = -1;
void setup() { Serial.begin(115200); analogReadResolution(12); }
void loop() {
  int now = analogRead(ANALOG_A);
  if (now != shown) Serial.println(shown = now);
  delay(1);
}
"""
    rows = [
        (0, ANALOG + target.number("ANALOG_A"), 0, 100),
        (40, ANALOG + target.number("ANALOG_A"), 0, 4095),
        (41, ANALOG + target.number("ANALOG_A"), 0, 9999),
    ]
    rows += [(60, ANALOG + target.number("ANALOG_A"), 0, 7)]

    trace = target.prove(tmp_path, sketch, rows)

    assert trace.lines == ["100", "4095", "7"]
    assert trace.of("OUT") == ["0 S0", "40 S0", "60 S0"]


def test_rows_of_zero_milliseconds_come_before_setup(target: Target, tmp_path: Path) -> None:
    sketch = (
        "void setup() { Serial.begin(9600); Serial.println(analogRead(ANALOG_A)); } void loop() {}"
    )

    assert target.prove(
        tmp_path, sketch, [(0, ANALOG + target.number("ANALOG_A"), 0, 2048)], end_ms=3
    ).lines == ["512"]


def test_in_a_closed_world_inputs_read_their_pull(target: Target, tmp_path: Path) -> None:
    sketch = """
void setup() {
  Serial.begin(115200);
  pinMode(OUT_A, INPUT); pinMode(OUT_C, INPUT_PULLUP); pinMode(IN_C, INPUT_PULLDOWN);
  Serial.println(digitalRead(OUT_A)); Serial.println(digitalRead(OUT_C));
  Serial.println(digitalRead(IN_C)); Serial.println(analogRead(ANALOG_B));
}
void loop() {}"""

    assert target.prove(tmp_path, sketch, end_ms=3).lines == ["0", "1", "0", "0"]


def test_console_rows_arrive_as_typed_text(target: Target, tmp_path: Path) -> None:
    sketch = """
void setup() { Serial.begin(115200); }
void loop() { while (Serial.available()) Serial.write(Serial.read()); delay(1); }
"""

    trace = target.prove(tmp_path, sketch, text_rows(20, b"status\nmore\n"))

    assert trace.text == b"status\nmore\n"
    assert trace.of("OUT") == ["20 S0", "20 S0"]


def test_injected_edges_call_the_attached_handler(target: Target, tmp_path: Path) -> None:
    sketch = """
volatile int rises, all;
void setup() {
  Serial.begin(115200);
  pinMode(IN_A, INPUT); pinMode(IN_B, INPUT_PULLUP);
  attachInterrupt(digitalPinToInterrupt(IN_A), [] { rises = rises + 1; }, RISING);
  attachInterrupt(digitalPinToInterrupt(IN_B), [] { all = all + 1; }, CHANGE);
  while (rises < 2) {}
  Serial.println(millis());
  delay(20);
  detachInterrupt(digitalPinToInterrupt(IN_B));
  delay(20);
  Serial.println(all);
}
void loop() {}"""
    pressed, pulled = DIGITAL + target.number("IN_A"), DIGITAL + target.number("IN_B")
    rows = [(10, pressed, 0, 1), (15, pressed, 0, 0), (20, pressed, 0, 1)]
    rows += [(25, pulled, 0, 0), (30, pulled, 0, 1), (50, pulled, 0, 0)]

    assert target.prove(tmp_path, sketch, rows).lines == ["20", "2"]


def test_end_comes_even_when_the_sketch_hangs(target: Target, tmp_path: Path) -> None:
    sketch = "void setup() { while (true) {} }\nvoid loop() {}\n"

    trace = target.prove(tmp_path, sketch, end_ms=50)

    assert trace.records[-1] == "BL 50 END dropped=0"
    assert trace.of("READY") == []


def test_pins_are_mirrored_on_change_once_they_are_outputs(target: Target, tmp_path: Path) -> None:
    sketch = """
void setup() {
  digitalWrite(OUT_A, HIGH); pinMode(OUT_A, OUTPUT);
  digitalWrite(OUT_A, HIGH); digitalWrite(OUT_A, LOW); digitalWrite(OUT_A, LOW);
  pinMode(OUT_B, OUTPUT); digitalWrite(OUT_B, LOW);
  pinMode(IN_C, INPUT); digitalWrite(IN_C, HIGH);
}
void loop() {}"""

    trace = target.prove(tmp_path, sketch, end_ms=3)

    assert trace.of("PIN") == [
        target.fill(each) for each in ("0 OUT_A v=1", "0 OUT_A v=0", "0 OUT_B v=0")
    ]


def test_the_registers_of_an_stm32_show_mode_and_level_of_every_mirrored_pin(
    tmp_path: Path,
) -> None:
    sketch = """
void setup() {
  pinMode(PB0, OUTPUT); pinMode(PB7, INPUT_PULLUP); pinMode(PC12, OUTPUT_OPENDRAIN);
  digitalWrite(PB0, HIGH); digitalWrite(PC12, LOW);
}
void loop() {}"""

    log = STM32F405.prove(tmp_path, sketch, end_ms=3).registers

    writes = re.findall(
        r"(GPIO[A-I]): unimplemented device write .*offset (0x\w+), value (0x\w+)", log
    )
    last = {(port, int(offset, 16)): int(value, 16) for port, offset, value in writes}
    assert last["GPIOB", 0x00] == 0x00000281
    assert last["GPIOB", 0x0C] == 0x00004100
    assert last["GPIOB", 0x18] == 1 << 0
    assert last["GPIOC", 0x00] == 1 << 24
    assert last["GPIOC", 0x04] == 1 << 12
    assert last["GPIOC", 0x18] == 1 << 28
    assert last["GPIOA", 0x00] == 0xA80000A0
    assert last["GPIOA", 0x20] == 0x00007700
    assert "guest_errors" not in log
    assert "Invalid" not in log


def test_a_pin_that_changes_too_often_is_summed_up(target: Target, tmp_path: Path) -> None:
    sketch = """
void setup() { pinMode(OUT_A, OUTPUT); }
void loop() { static bool on; on = !on; digitalWrite(OUT_A, on); delay(1); }
"""

    pins = target.prove(tmp_path, sketch, end_ms=1250).of("PIN")

    pin = target.pins["OUT_A"]
    assert pins[:50] == [f"{ms} {pin} v={(ms + 1) % 2}" for ms in range(50)]
    summaries = [each.split() for each in pins[50:60]]
    assert [int(each[0]) for each in summaries] == list(range(100, 1001, 100))
    assert all(each[3] in {"last=0", "last=1"} for each in summaries)
    assert pins[60].startswith((f"1000 {pin} v=", f"1001 {pin} v="))
    changes = sum(int(n) for n in re.findall(r"n=(\d+)", " ".join(pins)))
    changes += sum("v=" in each for each in pins)
    assert 1245 <= changes <= 1251


def test_a_pin_that_the_part_lacks_or_the_core_needs_is_refused_once(
    target: Target, tmp_path: Path
) -> None:
    sketch = """
void setup() {
  for (int i = 0; i < 3; i++) { pinMode(200, OUTPUT); digitalWrite(CONSOLE_A, LOW); }
  analogRead(OUT_B);
}
void loop() {}"""

    assert target.prove(tmp_path, sketch, end_ms=3).of("ERR") == [
        "0 bad-pin pin=200",
        f"0 reserved-pin pin={target.number('CONSOLE_A')}",
        f"0 no-adc pin={target.number('OUT_B')}",
    ]


def test_a_pin_that_a_package_of_64_pins_lacks_is_refused(tmp_path: Path) -> None:
    sketch = "void setup() { digitalRead(PE3); digitalRead(PE3); }\nvoid loop() {}\n"

    assert STM32F405.prove(tmp_path, sketch, end_ms=3).of("ERR") == ["0 bad-pin pin=67"]


@pytest.mark.parametrize("pin", range(11, 22))
def test_flash_usb_and_console_pins_of_a_c3_are_kept(tmp_path: Path, pin: int) -> None:
    sketch = f"void setup() {{ pinMode({pin}, OUTPUT); }}\nvoid loop() {{}}\n"

    trace = ESP32C3.prove(tmp_path, sketch, end_ms=3)

    assert trace.of("ERR") == [f"0 reserved-pin pin={pin}"]
    assert f"func{pin} " not in trace.registers


def test_unknown_signals_are_reported(target: Target, tmp_path: Path) -> None:
    rows = [(1, 0x0200, 0, 1), (1, DIGITAL + 200, 0, 1), (2, 0x0305, 1, 65)]

    assert target.prove(tmp_path, IDLE, rows, end_ms=4).of("ERR") == [
        "1 bad-signal signal=512",
        "1 bad-signal signal=200",
        "2 bad-signal signal=773",
    ]


def test_input_beyond_the_queue_is_reported(target: Target, tmp_path: Path) -> None:
    trace = target.prove(tmp_path, IDLE, text_rows(1, b"x" * 514), end_ms=4)

    assert trace.of("ERR") == ["1 rx-overrun", "1 rx-overrun"]


def test_values_events_and_states_are_named(target: Target, tmp_path: Path) -> None:
    sketch = """
void setup() {
  BL.val("count", 3); BL.val("temp", 21.256); BL.val("fine", 1.23456, 4);
  BL.evt("pressed"); BL.evt("said", "two words"); BL.state("mode", "on");
  BL.evt("bad name\\n\\x1e" "BL", "a\\nBL 0 END"); BL.state("mode", "a b");
}
void loop() {}"""

    trace = target.prove(tmp_path, sketch, end_ms=3)

    assert trace.of("VAL") == ["0 count v=3", "0 temp v=21.26", "0 fine v=1.2346"]
    assert trace.of("EVT") == ["0 pressed", "0 said t=two words", "0 bad_name__BL t=a_BL 0 END"]
    assert trace.of("STATE") == ["0 mode v=on", "0 mode v=a_b"]


def test_a_mark_in_user_output_is_doubled(target: Target, tmp_path: Path) -> None:
    sketch = r"""
void setup() { Serial.begin(115200); Serial.write("a\x1e" "BL 0 END\n"); Serial.write(0x1e); }
void loop() {}"""

    trace = target.prove(tmp_path, sketch, end_ms=3)

    assert b"a\x1e\x1eBL 0 END\n" in trace.raw
    assert trace.text == b"a\x1eBL 0 END\n\x1e"
    assert trace.of("END") == ["3 dropped=0"]


def test_output_before_begin_is_lost_and_said_so(target: Target, tmp_path: Path) -> None:
    sketch = 'void setup() { Serial.print("x"); Serial.print("y"); }\nvoid loop() {}\n'

    trace = target.prove(tmp_path, sketch, end_ms=3)

    assert trace.text == b""
    assert trace.of("ERR") == ["0 serial-not-begun"]


def test_a_delay_where_no_tick_can_come_is_reported(target: Target, tmp_path: Path) -> None:
    sketch = "void setup() { noInterrupts(); delay(5); interrupts(); }\nvoid loop() {}\n"

    assert target.prove(tmp_path, sketch, end_ms=3).of("ERR") == ["0 delay-without-interrupts"]


def test_a_trace_is_the_same_bytes_five_times(target: Target, tmp_path: Path) -> None:
    sketch = """
int count;
void setup() { Serial.begin(115200); pinMode(OUT_A, OUTPUT); }
void loop() {
  if (Serial.available()) Serial.println(Serial.readStringUntil('\\n'));
  digitalWrite(OUT_A, analogRead(ANALOG_A) > 500);
  if (count++ % 10 == 0) Serial.println(String(micros()) + " " + random(1000));
  delay(3);
}"""
    elf = target.build(tmp_path, sketch)
    stimuli = table(
        [
            *text_rows(30, b"hello\n"),
            (50, ANALOG + target.number("ANALOG_A"), 0, 3000),
            (500, END, 0, 0),
        ]
    )

    assert len({target.run(elf, stimuli).raw for _ in range(5)}) == 1


FAULTS = {
    "bus": "*(volatile int *)0x30000000 = 1;",
    "usage": "ILLEGAL;",
    "abort": "abort();",
}
ILLEGAL = {"stm32": "udf #0", "esp32": "unimp"}
FAULT_FIELDS = {
    "stm32": ["pc", "lr", "cfsr", "hfsr", "addr"],
    "esp32": ["pc", "lr", "mcause", "addr"],
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_names_the_line_of_the_sketch(target: Target, tmp_path: Path, kind: str) -> None:
    family = target.port.family
    body = FAULTS[kind].replace("ILLEGAL", f'__asm volatile("{ILLEGAL[family]}")')
    sketch = f"void setup() {{}}\nvoid loop() {{\n  delay(5);\n  {body}\n}}\n"
    elf = target.build(tmp_path, sketch)

    [fault] = target.run(elf, table([(900, END, 0, 0)])).of("FAULT")

    fields = dict(re.findall(r"(\w+)=([0-9a-f]{8})", fault))
    assert fault.split()[:2] == ["5", kind]
    assert list(fields) == FAULT_FIELDS[family]
    line = subprocess.run(
        [target.tool("addr2line"), "-e", str(elf), fields["pc"]],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert re.search(r"main\.ino:[45]", line)
    if kind == "bus":
        assert fields["addr"] == "30000000"
    if kind == "bus" and family == "stm32":
        assert int(fields["cfsr"], 16) & (1 << 15)
    if kind != "abort" and family == "esp32":
        assert int(fields["mcause"], 16) == {"bus": 7, "usage": 2}[kind]


def test_a_stack_that_overflows_is_a_fault_too(target: Target, tmp_path: Path) -> None:
    sketch = """
volatile int depth;
int deeper(volatile char *above) {
  volatile char room[512]; room[0] = above[0]; depth = depth + 1;
  return deeper(room) + room[1];
}
void setup() { volatile char c[1] = {1}; deeper(c); }
void loop() {}"""

    elf = target.build(tmp_path, sketch)
    [fault] = target.run(elf, table([(900, END, 0, 0)])).of("FAULT")

    assert fault.split()[1] in {"mem", "bus", "hard"}
    if target.port.family == "esp32":
        symbols = subprocess.run([target.tool("nm"), str(elf)], capture_output=True, check=True)
        at = {
            name: int(a, 16)
            for a, _, name in re.findall(r"(\w+) (\w) (\w+)", symbols.stdout.decode())
        }
        address = int(fault.rpartition("addr=")[2], 16)
        assert fault.split()[1] == "mem"
        assert "mcause=00000007" in fault
        assert at["_stack_guard"] <= address < at["_stack_guard_end"]


def test_live_commands_set_inputs_when_there_is_no_table(target: Target, tmp_path: Path) -> None:
    sketch = """
void setup() { Serial.begin(115200); analogReadResolution(12); }
void loop() {
  if (analogRead(ANALOG_A) == 2048 && digitalRead(ANALOG_B)) Serial.println("seen");
  if (Serial.read() == 0x1e) Serial.println("mark");
  delay(1);
}"""
    commands = "\x1eset ANALOG_A 2048\n\x1eset ANALOG_B 1\n\x1e\x1e\x1eset PX9 1\n"
    trace = target.run(
        target.build(tmp_path, sketch),
        None,
        live=True,
        send=(b"READY", target.fill(commands).encode()),
        stop=rb"(?s)(?=.*seen)(?=.*mark)(?=.*bad-command\n).*",
    )

    assert [each.split(" ", 1)[1] for each in trace.of("CMD")] == [
        target.fill("set ANALOG_A=2048"),
        target.fill("set ANALOG_B=1"),
    ]


def test_live_commands_are_refused_during_a_run_by_table(target: Target, tmp_path: Path) -> None:
    trace = target.run(
        target.build(tmp_path, IDLE),
        table([(60_000, END, 0, 0)]),
        live=True,
        send=(b"READY", target.fill("\x1eset ANALOG_A 2048\n").encode()),
        stop=rb"\x1eBL \d+ ERR [^\n]*\n",
    )

    assert trace.records[-1].endswith("ERR command-refused")


@pytest.mark.parametrize("live", [True, False], ids=["live", "simulated"])
def test_a_live_run_tells_of_the_ticks_that_it_lost(
    target: Target, tmp_path: Path, live: bool
) -> None:
    sketch = """
void setup() { Serial.begin(115200); }
void loop() { delay(10); noInterrupts(); delayMicroseconds(40500); interrupts(); delay(10); }
"""
    stimuli = table([(90, END, 0, 0)], live=live)

    trace = target.run(target.build(tmp_path, sketch), stimuli, live=live)

    end = re.fullmatch(r"BL \d+ END dropped=0(?: lost=(\d+))?", trace.records[-1])
    assert end is not None
    if live and target.port.family == "stm32":
        assert end[1] is not None
        assert int(end[1]) >= 4 * 39  # a busy host loses more
    else:
        assert end[1] is None


def test_the_core_works_without_a_table_on_a_live_board(target: Target, tmp_path: Path) -> None:
    sketch = (
        "void setup() { pinMode(IN_C, INPUT_PULLUP); Serial.begin(115200); Serial.print('!'); }\n"
    )
    sketch += "void loop() { if (Serial.read() == '?') Serial.println(digitalRead(IN_C)); }\n"

    trace = target.run(
        target.build(tmp_path, sketch, test=False),
        None,
        live=True,
        send=(b"!", b"?"),
        stop=b"1\r\n",
    )

    assert trace.raw == b"!1\r\n"


def test_a_release_build_contains_nothing_of_the_test_build(target: Target, tmp_path: Path) -> None:
    sketch = """
void setup() { Serial.begin(9600); pinMode(OUT_A, OUTPUT); BL.val("secret_value", 1); BL.evt("e"); }
void loop() { digitalWrite(OUT_A, HIGH); Serial.println(analogRead(ANALOG_A)); delay(1); }
"""
    elf = target.build(tmp_path, sketch, test=False)
    image = elf.read_bytes()
    loaded = tmp_path / "firmware.bin"
    subprocess.run([target.tool("objcopy"), "-O", "binary", str(elf), str(loaded)], check=True)
    symbols = subprocess.run(
        [target.tool("nm"), "-C", str(elf)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    for text in (b"BL ", b"BOOT", b"READY", b"FAULT", b"secret_value", b"0123456789ab", b"table-"):
        assert text not in loaded.read_bytes()
    assert b"BL %" not in image
    for name in ("Record", "stimulus", "Inject", "crcUpdate", "benchBuildId", "summar"):
        assert name not in symbols


STORAGE = {"stm32": range(0x0800_8000, 0x0801_0000), "esp32": range(0x1E_0000, 0x1F_0000)}


def test_an_image_leaves_the_table_and_the_storage_alone(target: Target, tmp_path: Path) -> None:
    port = target.port
    kept = (range(port.table_address, port.table_address + port.table_size), STORAGE[port.family])

    for piece in segments(target.build(tmp_path, IDLE).read_bytes()):
        end = piece.address + len(piece.data)
        assert any(
            piece.address in region.addresses and end - 1 in region.addresses
            for region in port.flash_regions
        )
        for area in kept:
            assert end <= area.start or piece.address >= area.stop


def test_two_builds_of_one_sketch_are_the_same_bytes(target: Target, tmp_path: Path) -> None:
    first = target.build(tmp_path, IDLE).read_bytes()
    second = target.build(tmp_path, IDLE).read_bytes()

    assert first == second
