"""The cloud of exported projects, as far as it can be checked without the vendor's core.

It is compiled against declarations of what it uses of Arduino's ESP32 core and of the MQTT library,
and linked as platformio.ini asks: whether these are the real ones, only a real build can say.
"""

import subprocess
from pathlib import Path

import pytest

from controlplane.exporters.cloud_files import FOLDER, LINK_FLAG, SECRETS, TEMPLATE, cloud_files
from tests.process.bench_core.rig import ESP32C3

DECLARED = {
    "Arduino.h": """
#pragma once
#include <ctype.h>
#include <stddef.h>
#include <string.h>
struct String {
  String(const char *text = "");
  explicit String(int value); explicit String(unsigned long value);
  explicit String(double value, unsigned int decimals = 2);
  size_t length() const; const char *c_str() const;
  bool operator==(const String &) const; bool operator!=(const char *) const;
};
String operator+(const String &, const char *);
unsigned long millis();
inline bool isAlphaNumeric(int c) { return isalnum(c) != 0; }
""",
    "WiFi.h": """
#pragma once
enum { WIFI_STA = 1, WL_CONNECTED = 3 };
struct WiFiClass { bool mode(int); int begin(const char *, const char *); int status(); };
extern WiFiClass WiFi;
""",
    "WiFiClientSecure.h": """
#pragma once
struct Client {};
struct WiFiClientSecure : Client {
  void setCACert(const char *); void setCertificate(const char *); void setPrivateKey(const char *);
};
""",
    "MQTT.h": """
#pragma once
#include "Arduino.h"
#include "WiFiClientSecure.h"
struct MQTTClient {
  explicit MQTTClient(int bufSize);
  void begin(const char host[], int port, Client &client);
  void onMessage(void (*)(String &topic, String &payload));
  bool connect(const char id[]); bool connected(); bool loop();
  bool publish(const String &topic, const String &payload, bool retained, int qos);
  bool subscribe(const String &topic, int qos);
};
""",
}
SKETCH = """
#include <Cloud.h>
void heard(const String &, const String &payload) { Cloud.publish("echo", payload); }
void setup() {
  Cloud.subscribe("fan/set", heard); Cloud.publish("n", 1); Cloud.publish("t", 2.5, 1);
}
void loop() { Cloud.publish("text", Cloud.connected() ? "yes" : "no"); }
"""


def compiled(folder: Path, source: Path) -> subprocess.CompletedProcess[str]:
    command = [
        ESP32C3.tool("g++"),
        *("-std=gnu++17", "-Wall", "-Wextra", "-Werror", "-c", "--specs=picolibc.specs"),
        *(f"-I{folder / name}" for name in ("declared", FOLDER)),
        *(str(source), "-o", str(source.with_suffix(".o"))),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    texts = {f"declared/{name}": text for name, text in DECLARED.items()} | cloud_files()
    for name, text in texts.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_without_secrets_the_library_says_what_to_do(project: Path) -> None:
    done = compiled(project, project / FOLDER / "Cloud.cpp")

    assert done.returncode != 0
    assert f"copy {TEMPLATE} to {SECRETS}" in done.stderr


def test_the_library_compiles_and_is_put_around_the_loop(project: Path) -> None:
    (project / FOLDER / SECRETS).write_text((project / FOLDER / TEMPLATE).read_text())
    (project / "sketch.cpp").write_text(SKETCH)
    (project / "main.cpp").write_text("void loop();\nint main() { loop(); }\n")
    sources = [project / FOLDER / "Cloud.cpp", project / "sketch.cpp", project / "main.cpp"]
    for source in sources:
        done = compiled(project, source)
        assert done.returncode == 0, done.stderr

    whole = project / "whole.elf"
    linked = subprocess.run(
        [
            *(ESP32C3.tool("gcc"), "-nostdlib", LINK_FLAG, "-Wl,--unresolved-symbols=ignore-all"),
            *("-Wl,-e,main", *(str(source.with_suffix(".o")) for source in sources)),
            *("-o", str(whole)),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert linked.returncode == 0, linked.stderr
    shown = subprocess.run(
        [ESP32C3.tool("objdump"), "-d", "-C", str(whole)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    main = shown.partition("<main>:")[2].partition("\n\n")[0]
    wrapped = shown.partition("<__wrap__Z4loopv>:")[2].partition("\n\n")[0]
    assert "<__wrap__Z4loopv>" in main
    assert "<loop()>" in wrapped
