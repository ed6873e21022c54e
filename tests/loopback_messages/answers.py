"""Answers as Claude could give them: designs by their parts, and sketches that keep the rules."""

from typing import Any

EMPTY: dict[str, Any] = {
    "title": "",
    "summary": "",
    "board": "olimex-stm32-h405",
    "board_reason": "it fits",
    "components": [],
    "blinks": [],
    "reports": [],
    "thresholds": [],
    "publishes": [],
    "messages": [],
    "buttons": [],
    "commands": [],
    "echo": False,
    "custom": [],
    "scenarios": [],
    "assumptions": [],
    "open_questions": [],
    "infeasible": [],
}


def design(**parts: Any) -> dict[str, Any]:
    """A design answer; what is not given is empty."""
    unknown = set(parts) - set(EMPTY)
    assert not unknown, unknown
    return EMPTY | parts


def component(name: str, kind: str, pin: str = "auto") -> dict[str, str]:
    """A component."""
    return {"id": name, "kind": kind, "pin": pin}


def sources(sketch: str, **more: str) -> dict[str, Any]:
    """A sources answer; `app_h` and `app_cpp` are the other files."""
    files = [{"path": "sketch.ino", "content": sketch}]
    files += [{"path": name.replace("_", "."), "content": text} for name, text in more.items()]
    return {"files": files, "notes": []}


DEMO_PROMPT = (
    "Blink the on-board LED at 2 Hz and report the temperature every second; switch a relay on "
    "above 30 C and off below 28 C; answer 'status' with the last temperature."
)
"""Known behaviours only."""


def demo_design(board: str) -> dict[str, Any]:
    """The design of DEMO_PROMPT."""
    return design(
        title="Thermostat with a heartbeat",
        summary="A relay follows the temperature.",
        board=board,
        components=[
            component("led", "led", "onboard"),
            component("temperature", "tmp36"),
            component("relay", "relay"),
        ],
        blinks=[{"output": "led", "on_ms": 250, "off_ms": 250}],
        reports=[{"value": "sensor", "source": "temperature", "period_ms": 1000}],
        thresholds=[
            {
                "output": "relay",
                "sensor": "temperature",
                "on_when": ">",
                "on_value": 30,
                "off_when": "<",
                "off_value": 28,
            }
        ],
        commands=[{"word": "status", "value": "sensor", "source": "temperature", "answer": ""}],
    )


DEMO_SKETCH = """#include <Arduino.h>
#include <string.h>
#include "board_pins.h"

static unsigned long blinkDue, reportDue, sampleDue;
static bool ledOn = false;
static bool relayOn = false;
static float celsius = 0.0f;
static char line[96];
static unsigned int length = 0;
static bool tooLong = false;

static bool isDue(unsigned long due) { return static_cast<long>(millis() - due) >= 0; }

static bool valid() { return celsius >= TEMPERATURE_LOWEST && celsius <= TEMPERATURE_HIGHEST; }

static void measure() {
  const float mv = analogRead(TEMPERATURE_PIN) * TEMPERATURE_FULL_SCALE_MV / 4095.0f;
  celsius = (mv - TEMPERATURE_MV_AT_ZERO) / TEMPERATURE_MV_PER_UNIT;
}

static void setRelay(bool on) {
  if (on == relayOn) return;
  relayOn = on;
  digitalWrite(RELAY_PIN, on ? RELAY_ON : RELAY_OFF);
  Serial.println(on ? "relay on" : "relay off");
}

static void tell(const char *before) {
  Serial.print(before);
  if (valid()) {
    Serial.print("temperature ");
    Serial.print(celsius, 1);
    Serial.println(" C");
  } else {
    Serial.println("temperature sensor missing");
  }
}

static void answer() {
  if (strcmp(line, "status") == 0) {
    tell("status ");
  } else {
    Serial.println("unknown command");
  }
}

static void readConsole() {
  while (Serial.available() > 0) {
    const char letter = static_cast<char>(Serial.read());
    if (letter == '\\r' || letter == '\\n') {
      line[length] = 0;
      if (!tooLong && length > 0) answer();
      length = 0;
      tooLong = false;
    } else if (length + 1 < sizeof line) {
      line[length++] = letter;
    } else {
      tooLong = true;
    }
  }
}

void setup() {
  Serial.begin(115200);
  analogReadResolution(12);
  digitalWrite(LED_PIN, LED_OFF);
  pinMode(LED_PIN, OUTPUT);
  digitalWrite(RELAY_PIN, RELAY_OFF);
  pinMode(RELAY_PIN, OUTPUT);
  blinkDue = reportDue = sampleDue = millis();
}

void loop() {
  if (isDue(sampleDue)) {
    sampleDue += 100;
    measure();
    if (!valid() || (relayOn && celsius < 28.0f)) setRelay(false);
    else if (!relayOn && celsius > 30.0f) setRelay(true);
  }
  if (isDue(blinkDue)) {
    blinkDue += 250;
    ledOn = !ledOn;
    digitalWrite(LED_PIN, ledOn ? LED_ON : LED_OFF);
  }
  if (isDue(reportDue)) {
    reportDue += 1000;
    measure();
    tell("");
  }
  readConsole();
  delay(1);
}
"""

CUSTOM_PROMPT = (
    "When I press the button, switch the lamp on for 3 seconds; a press while it is on starts the "
    "3 seconds anew."
)
"""One behaviour of no known kind."""

STAIRCASE_STEPS = """- never: {id: dark, pin: lamp, level: on, until: 1s}
- press: {id: first, at: 1s, signal: button, for: 200ms}
- expect: {id: lit, pin: lamp, edge: rising, after: 1s, within: 400ms}
- press: {at: 3s, signal: button, for: 700ms}
- pin: {id: anew, signal: lamp, level: on, at: 5500ms}
- expect: {id: out, pin: lamp, edge: falling, after: 5500ms, within: 1s}
- expect_count: {id: once, pin: lamp, edge: rising, after: 500ms, until: 8s, count: 1}
"""


def staircase_design(board: str) -> dict[str, Any]:
    """The design of CUSTOM_PROMPT."""
    return design(
        title="Staircase light",
        summary="A press lights the lamp for three seconds.",
        board=board,
        components=[component("button", "button"), component("lamp", "lamp")],
        custom=[
            {
                "id": "staircase",
                "text": "A press of the button switches the lamp on for 3 s; each press starts "
                "the 3 s anew.",
                "reads": ["button"],
                "drives": ["lamp"],
                "idle": "off",
            }
        ],
        scenarios=[
            {
                "id": "light",
                "title": "Presses light the lamp",
                "proves": ["staircase"],
                "control": False,
                "duration_ms": 8500,
                "vars": "",
                "steps": STAIRCASE_STEPS,
            }
        ],
        assumptions=[{"id": "debounce", "text": "Presses are debounced for 30 ms."}],
        open_questions=[
            {
                "id": "colour",
                "text": "Which colour?",
                "why": "It decides nothing but the looks.",
                "choices": [],
                "blocking": False,
                "default": "any",
            }
        ],
    )


STAIRCASE_SKETCH = """#include <Arduino.h>
#include "board_pins.h"

static bool pressed = false, seen = false;
static unsigned long changedAt = 0, litAt = 0;
static bool lit = false;

void setup() {
  Serial.begin(115200);
  digitalWrite(LAMP_PIN, LAMP_OFF);
  pinMode(LAMP_PIN, OUTPUT);
  pinMode(BUTTON_PIN, BUTTON_MODE);
}

void loop() {
  const unsigned long now = millis();
  const bool down = digitalRead(BUTTON_PIN) == BUTTON_PRESSED;
  if (down != seen) {
    seen = down;
    changedAt = now;
  }
  if (down != pressed && now - changedAt >= 30) {
    pressed = down;
    if (pressed) {
      lit = true;
      litAt = now;
      digitalWrite(LAMP_PIN, LAMP_ON);
    }
  }
  if (lit && now - litAt >= 3000) {
    lit = false;
    digitalWrite(LAMP_PIN, LAMP_OFF);
  }
  delay(1);
}
"""
