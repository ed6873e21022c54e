"""A pretend device's console stream, for tests of the scenario language."""

from benchline.scenario import Event, RecordSplitter, RunPlan, parse_scenario, resolve

NONCE = 0x1234ABCD

HEAD = """\
scenario: 1
id: demo
duration: 9s
requires: [serial.rx, pin.read]
signals:
  temperature: {kind: analog, pin: PA1, unit: C, mv_at_zero: 500, mv_per_unit: 10, min: -40, max: 125}
  relay: {kind: digital_out, pin: PB0, active: high}
  led: {kind: digital_out, pin: PC12, active: low}
  button: {kind: digital_in, pin: PA0, active: high}
vars:
  below: {draw: [15.0, 24.0], step: 0.5}
  above: {draw: [31.5, 45.0], step: 0.5}
  limit: 30
steps:
"""  # noqa: E501 - a line of YAML


def text_of(*steps: str) -> str:
    """A scenario with these steps."""
    return HEAD + "".join(f"  - {step}\n" for step in steps)


def plan_of(*steps: str, seed: int = 42) -> RunPlan:
    """A resolved scenario with these steps."""
    return resolve(parse_scenario(text_of(*steps)), seed)


class Device:
    """Collects what a device would print; every method returns self."""

    def __init__(
        self, *, nonce: int = NONCE, noise: bytes = b"", part: str = "stm32f405rg"
    ) -> None:
        self.raw = bytearray(noise)
        self.record(
            0,
            f"BOOT core=1 part={part} build=aabbccddeeff design=none nonce={nonce:08x}"
            " sources=injected reset=power",
        )

    def record(self, ms: int, text: str) -> "Device":
        self.raw += f"\x1eBL {ms} {text}\n".encode()
        return self

    def line(self, ms: int, text: str) -> "Device":
        self.record(ms, "OUT S0")
        self.raw += text.encode() + b"\r\n"
        return self

    def pin(self, ms: int, name: str, level: int) -> "Device":
        return self.record(ms, f"PIN {name} v={level}")

    def end(self, ms: int = 9000, dropped: int = 0) -> "Device":
        return self.record(ms, f"END dropped={dropped}")

    def events(self) -> list[Event]:
        splitter = RecordSplitter()
        return splitter.feed(bytes(self.raw)) + splitter.finish()
