"""What to say about words that are not understood: why, and the nearest wording that is."""

from collections.abc import Mapping, Sequence

from controlplane.domain.finding import Finding
from controlplane.planning.tokens import Kind, Token

_PRINTS = 'Reports go to the console: "report the temperature every second".'
_BUTTON = (
    'A press of the button toggles, counts or prints: "toggle the LED when the button is pressed".'
)
_ANSWER = "Put commands and texts in quotes: \"answer 'status' with the last temperature\"."
_WORDS: Mapping[str, str] = {
    "publish mqtt cloud topic subscribe broker telemetry iot message messages": (
        'Messages go through the lab: "publish the temperature every 10 seconds", "when a message '
        'arrives on topic lamp turn on the LED".'
    ),
    "mail email sms wifi wi fi internet bluetooth ble http https web notify "
    "notification text upload phone app telegram tweet twitter slack server website online webhook "
    "post alexa whatsapp network ethernet lora zigbee browser url remotely discord": (
        "This board has no network. " + _PRINTS
    ),
    "display lcd oled screen segment matrix": "No display is in the catalogue. " + _PRINTS,
    "save store sd card eeprom file csv disk logger memory": "Nothing can be stored. " + _PRINTS,
    "speed pwm dim fade servo motor stepper percent proportional pid brighter dimmer breathe": (
        'Outputs are on or off: "switch a fan on above 30 C and off below 28 C".'
    ),
    "don't not never unless except without no doesn't cannot until isn't won't": (
        "Exceptions cannot be built. Say what the device should do, and under which threshold."
    ),
    "music song melody tone sound play": (
        'A buzzer is on or off: "switch the buzzer on above 30 C and off below 28 C".'
    ),
    "fast faster slow slower slowly quickly rapidly often sometimes occasionally random randomly": (
        'Say a number: "blink the LED at 2 Hz".'
    ),
    "times twice thrice": (
        'A number of blinks or lines cannot be built, only how often: "blink the LED every 500 ms".'
    ),
    "per": (
        'Say how often: "print the number of button presses every minute". Presses in a time are '
        "not counted."
    ),
    "arduino uno pico raspberry nano esp8266 discovery pi mega bluepill teensy esp32c6 c6 h2 s2": (
        'Known boards: "on an Olimex STM32-H405", "on an ESP32-C3-DevKitM-1", "on a Nucleo F446RE" '
        "and others."
    ),
    "rgb colour color colours colors purple pink violet turquoise": (
        "An RGB LED shows red, green, blue, yellow, cyan, magenta, white and off: "
        '"cycle the RGB LED through red, green and blue, 1 s each", '
        "\"set the RGB LED to red when I send 'red'\"."
    ),
    "encoder rotary turned turns knob": (
        'An encoder gives a position: "print the position of the encoder whenever it changes", '
        '"report the position of the encoder every second".'
    ),
    "distance ultrasonic closer nearer away cm object obstacle something": (
        'A distance is measured by an HC-SR04: "print the distance every second", "turn the buzzer '
        'on when something is closer than 20 cm".'
    ),
    "motion pir movement presence": (
        "Motion switches something on, or is printed: "
        '"turn the lamp on for 30 s when motion is detected", "report motion".'
    ),
    "dht22 dht11 bme280 ds18b20 humidity pressure thermistor ntc lm35 moisture "
    "accelerometer gps co2 hygrometer barometer sensor sensors": (
        'Known sensors: TMP36 ("temperature"), potentiometer, LDR ("light level"), HC-SR04 '
        '("distance"), analog input.'
    ),
    "after later delay delayed timer pm am o'clock noon midnight night day days week tomorrow "
    "hourly daily then stop afterwards for": (
        "Delays, durations and times of day cannot be built. Say a period or a threshold: "
        '"report the temperature every minute", "switch a relay on above 30 C".'
    ),
    "between outside within range around thermostat keep maintain regulate": (
        'Give two thresholds: "switch a heater on below 20 C and off above 22 C".'
    ),
    "average mean maximum minimum max min highest lowest median sum difference change changes "
    "changed filtered smoothed trend": (
        'Reports give the newest value: "report the temperature every second".'
    ),
    "fahrenheit kelvin volts decimals json timestamp format digits": (
        'Reports are lines in C, %, cm or mV: "report the temperature every second".'
    ),
    "answer reply respond command": _ANSWER,
    "button press pressed pressing presses held hold release released double long click": _BUTTON,
    "or either": "Say one number and one condition for each wish.",
    "if when while dark light hot cold warm": (
        'Say a threshold with its number: "switch a relay on above 30 C and off below 28 C".'
    ),
}
_HINTS: Mapping[str, str] = {word: hint for group, hint in _WORDS.items() for word in group.split()}
_GENERAL = (
    'Nearest wordings: "blink the LED at 2 Hz", "report the temperature every second", '
    '"switch a relay on above 30 C and off below 28 C", '
    '"toggle the LED when the button is pressed", '
    '"answer \'status\' with the last temperature", "echo every line".'
)


def not_understood(text: str, parts: Sequence[Token], start: int, end: int) -> Finding:
    """The finding about a stretch of the prompt that no rule takes."""
    said = " ".join(text.split())
    return Finding(
        code="E200",
        subject=said[:80],
        message=f'"{said[:200]}" is not understood.',
        fix=_hint(parts),
        start=start,
        end=end,
    )


def _hint(parts: Sequence[Token]) -> str:
    for part in parts:
        whole, comma, decimals = part.text.partition(",")
        if part.kind is Kind.UNKNOWN and comma and whole.isdigit() and decimals.isdigit():
            return f'Write the number with a point: "{whole}.{decimals}".'
        whole, point, thousandths = part.text.partition(".")
        if part.kind is Kind.UNKNOWN and point and whole.isdigit() and thousandths.isdigit():
            return f'Write "{whole}{thousandths} ms", or "{whole} ms" with two decimals at most.'
    said = [part.text for part in parts]
    return next((hint for word, hint in _HINTS.items() if word in said), _GENERAL)
