"""The cloud of a sketch on the bench core of every part: what it says and hears on the console."""

import subprocess
from pathlib import Path

import pytest

from benchline.cloud_records import message_line, parse_cloud_record
from benchline.device_config import DeviceConfig, pack_device_config
from tests.process.bench_core.rig import END, Target, table, text_rows

PUBLISHER = r"""
#include <Cloud.h>
String longText(int length) { String text; while (length-- > 0) text += '~'; return text; }
void setup() {
  Serial.begin(115200);
  Cloud.publish("temperature", 23.456, 1);
  Cloud.publish("count", 7);
  Cloud.publish("a/b.c-d_e", String("on"));
  Cloud.publish("text", "two words");
  Cloud.publish("raw", "100%\x1e\n\xc3\xa9");
  Cloud.publish("empty", "");
  Cloud.publish("longest", longText(256));
  Serial.println(Cloud.publish("longer", longText(257)));
  Serial.println(Cloud.publish("bad topic", "x"));
  Serial.println(Cloud.publish("", "x"));
  Serial.write("user\x1e" "CL PUB forged x\n");
}
void loop() { delay(1); }
"""

PUBLISHED = [
    "CL PUB temperature 23.5",
    "CL PUB count 7",
    "CL PUB a/b.c-d_e on",
    "CL PUB text two words",
    "CL PUB raw 100%25%1E%0A%C3%A9",
    "CL PUB empty ",
    "CL PUB longest " + "~" * 256,
]

LISTENER = """
#include <Cloud.h>
void heard(const String &topic, const String &payload) {
  Serial.print(topic); Serial.print('='); Serial.print(payload); Serial.print('|');
}
void other(const String &, const String &payload) { Serial.print("other "); heard("", payload); }
void setup() {
  Serial.begin(115200);
  Cloud.subscribe("fan/set", heard);
  Cloud.subscribe("lamp", heard);
  Cloud.subscribe("lamp", other);
  Serial.println(Cloud.subscribe("bad topic", heard));
}
void loop() { while (Serial.available()) Serial.write(Serial.read()); delay(1); }
"""


def test_each_publish_is_a_cloud_record_and_in_a_test_build_an_event_too(
    target: Target, tmp_path: Path
) -> None:
    trace = target.prove(tmp_path, PUBLISHER, end_ms=200)

    assert trace.cloud == PUBLISHED
    raw = parse_cloud_record(trace.cloud[4])
    assert raw is not None
    assert raw.payload == "100%\x1e\né".encode()
    assert [each.split(" ", 1)[1] for each in trace.of("EVT")] == [
        "cloud.temperature v=23.5",
        "cloud.count v=7",
        "cloud.a/b.c-d_e v=on",
        "cloud.text t=two words",
        "cloud.raw v=100%____",
        "cloud.empty v=",
        "cloud.longest v=" + "~" * 256,
    ]
    assert [each.split(" ", 1)[1] for each in trace.of("ERR")] == [
        "cloud-payload",
        "cloud-topic",
        "cloud-topic",
    ]
    assert trace.text == b"0\r\n0\r\n0\r\nuser\x1eCL PUB forged x\n"


def test_a_release_build_publishes_too_and_says_nothing_else(
    target: Target, tmp_path: Path
) -> None:
    elf = target.build(tmp_path, PUBLISHER, test=False)
    trace = target.run(elf, None, stop=rb"forged x\n")

    assert trace.cloud == PUBLISHED
    assert trace.records == []
    assert trace.text == b"0\r\n0\r\n0\r\nuser\x1eCL PUB forged x\n"
    loaded = tmp_path / "firmware.bin"
    subprocess.run([target.tool("objcopy"), "-O", "binary", str(elf), str(loaded)], check=True)
    for text in (b"EVT", b"cloud.", b"cloud-topic"):
        assert text not in loaded.read_bytes()


def test_a_release_build_publishes_without_serial(target: Target, tmp_path: Path) -> None:
    sketch = '#include <Cloud.h>\nvoid setup() { Cloud.publish("up", 1); }\nvoid loop() {}\n'
    elf = target.build(tmp_path, sketch, test=False)

    assert target.run(elf, None, stop=rb"\n").cloud == ["CL PUB up 1"]


def test_a_sketch_without_the_header_carries_nothing_of_the_cloud(
    target: Target, tmp_path: Path
) -> None:
    sketch = "void setup() { Serial.begin(115200); }\nvoid loop() { delay(1); }\n"
    for test in (True, False):
        elf = target.build(tmp_path, sketch, test=test)
        shown = subprocess.run(
            [target.tool("nm"), "-C", str(elf)], capture_output=True, text=True, check=True
        )
        assert "cloud" not in shown.stdout.lower()
        assert "subscription" not in shown.stdout


def test_messages_of_the_table_reach_their_handler_and_nobody_else(
    target: Target, tmp_path: Path
) -> None:
    lines = [
        message_line("fan/set", b"on % \n\x00\xff"),
        message_line("lamp", b""),
        message_line("nobody", b"x"),
        b"\x1eCL MSG fan/set %zz\n",
        b"\x1eCL MSG fan/set %1\n",
        b"\x1eCL MSG fan/set\n",
        b"\x1eCL PUB fan/set x\n",
        b"\x1eCL MSG fan/set " + b"y" * 257 + b"\n",
        b"\x1eCL MSG fan/set " + b"z" * 2000 + b"\n",
        message_line("fan/set", b"w" * 256),
    ]
    rows = [row for n, line in enumerate(lines) for row in text_rows(20 + 10 * n, line[1:], port=1)]
    rows += text_rows(15, b"typed ")

    trace = target.prove(tmp_path, LISTENER, rows, end_ms=300)

    assert trace.cloud == ["CL SUB fan/set", "CL SUB lamp", "CL SUB lamp"]
    assert trace.text == (
        b"0\r\ntyped fan/set=on % \n\x00\xff|other =|fan/set=" + b"w" * 256 + b"|"
    )
    assert [each.split(" ", 1)[1] for each in trace.of("ERR")] == ["cloud-topic"]


def test_a_row_for_the_cloud_of_a_sketch_without_one_is_reported(
    target: Target, tmp_path: Path
) -> None:
    sketch = "void setup() { Serial.begin(115200); }\nvoid loop() { delay(1); }\n"

    trace = target.prove(tmp_path, sketch, text_rows(5, b"CL\n", port=1), end_ms=20)

    assert trace.of("ERR") == ["5 bad-signal signal=769"]


@pytest.mark.parametrize("test", [True, False], ids=["test-build", "release"])
def test_lines_on_the_wire_are_messages_and_the_rest_is_typed_text(
    target: Target, tmp_path: Path, test: bool
) -> None:
    wire = b"typed \x1e\x1e \x1eCL MSG fan/set cut" + message_line("fan/set", b"high") + b"rest!"
    trace = target.run(
        target.build(tmp_path, LISTENER, test=test),
        None,
        live=True,
        send=(b"CL SUB lamp\n", wire),
        # Whichever comes last: a message waits for the end of loop(), typed text is read in it.
        stop=rb"(?s)(high\|.*rest!|rest!.*high\|)",
    )

    text = trace.text.replace(b"fan/set=high|", b"")
    assert text == b"0\r\ntyped \x1e rest!"
    assert b"fan/set=high|" in trace.text
    assert b"cut" not in trace.text


def test_a_run_by_table_hears_the_table_alone(target: Target, tmp_path: Path) -> None:
    sketch = LISTENER.replace("delay(1);", "delay(1); if (millis() == 900) Serial.print('!');")
    trace = target.run(
        target.build(tmp_path, sketch),
        table([(1000, END, 0, 0)]),
        live=True,
        send=(b"READY", message_line("fan/set", b"real")),
    )

    assert b"real" not in trace.raw
    assert trace.of("ERR")[1:] == []


CONFIG = DeviceConfig(
    endpoint="127.0.0.1:8883",
    device_id="lab-1",
    topic_prefix="devices/lab-1",
    credential_ref="local:lab/lab-1",
)


def test_a_device_is_connected_when_its_configuration_is_whole(
    target: Target, tmp_path: Path
) -> None:
    sketch = "#include <Cloud.h>\nvoid setup() { Serial.begin(115200); "
    sketch += 'Serial.println(Cloud.connected() ? "yes" : "no"); }\nvoid loop() {}\n'
    elf = target.build(tmp_path, sketch)
    whole = pack_device_config(CONFIG)
    damaged = {
        "erased": b"\xff" * 64,
        "text": whole[:-1] + b"?",
        "version": whole[:4] + b"\x02" + whole[5:],
        "length": whole[:6] + b"\xff\xff" + whole[8:],
    }
    said = {
        name: target.run(elf, table([(3, END, 0, 0)]), config=config).lines
        for name, config in {"whole": whole, "none": None, **damaged}.items()
    }

    assert said.pop("whole") == ["yes"]
    assert all(lines == ["no"] for lines in said.values())
