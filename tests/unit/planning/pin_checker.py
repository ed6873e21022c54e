"""An independent judge of pin plans: its own reading of the catalogue's files, and brute force.

It shares no code with the solver or the validator: it reads the TOML files itself, and tries every
assignment of small cases.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

CATALOGUE = Path(__file__).parents[3] / "controlplane" / "catalog"
BUS_LINES = {
    "i2c_sda": ("i2c", "sda"),
    "i2c_scl": ("i2c", "scl"),
    "spi_sck": ("spi", "sck"),
    "spi_mosi": ("spi", "mosi"),
    "spi_miso": ("spi", "miso"),
    "can_tx": ("can", "tx"),
    "can_rx": ("can", "rx"),
    "uart_tx": ("uart", "tx"),
    "uart_rx": ("uart", "rx"),
}
READS = {"gpio_in", "adc", "spi_miso", "can_rx", "uart_rx"}


@dataclass(frozen=True)
class Wish:
    """What the checker is told of a demand."""

    owner: str
    role: str
    pull: bool = False
    group: str = ""
    hz: int = 0
    fixed: str = ""


@dataclass(frozen=True)
class Given:
    """What the checker is told of an answer; the function as "i2c1_sda 4", "" for plain roles."""

    pin: str
    function: str = ""


@cache
def read(folder: str, key: str) -> dict[str, Any]:
    path = CATALOGUE / folder / f"{key}.toml"
    return tomllib.loads(path.read_text("utf-8")) if path.exists() else {}


def functions_on(part: dict[str, Any], pin: dict[str, Any], role: str) -> list[str]:
    """Every function of a pad that plays a role, in the spelling of the tables."""
    if role == "pwm":
        if "peripherals" in part:
            return [] if pin.get("input_only") else ["ledc"]
        every = read("functions", part["key"])["functions"].get(pin["name"], [])
        return [text for text in every if text.startswith("tim")]
    if role not in BUS_LINES:
        return [""]
    kind, line = BUS_LINES[role]
    if "peripherals" in part:
        if pin.get("input_only") and role not in READS:
            return []
        return [f"{instance}_{line}" for instance in part["peripherals"].get(kind, [])]
    every = read("functions", part["key"])["functions"].get(pin["name"], [])
    kinds = ("uart", "usart") if kind == "uart" else (kind,)
    return [
        text
        for text in every
        if text.split("_")[0].rstrip("0123456789") in kinds and text.split("_")[1].startswith(line)
    ]


def possible(board: str, preferred: Sequence[str], wish: Wish) -> Iterator[Given]:
    """Everything that one wish could get, whatever others get."""
    model = read("boards", board)
    part = read("parts", model["part"])
    soldered = {item["pin"] for item in model.get("onboard", [])}
    for pin in part["pins"]:
        name = pin["name"]
        if pin.get("reserved") or pin.get("usb_jtag") or name in model.get("reserved", {}):
            continue
        if name in (model["console"]["tx"], model["console"]["rx"]) or name in soldered:
            continue
        if name != wish.fixed if wish.fixed else name not in preferred:
            continue
        if pin.get("input_only") and (wish.role not in READS or wish.pull):
            continue
        if wish.role == "adc" and "adc" not in pin:
            continue
        for function in functions_on(part, pin, wish.role):
            yield Given(name, function)


def clashes(board: str, wishes: Sequence[Wish], given: Sequence[Given]) -> list[str]:
    """Why an assignment as a whole is impossible; empty when it is possible."""
    model = read("boards", board)
    part = read("parts", model["part"])
    wrong = []
    pins = [each.pin for each in given]
    wrong += [f"{pin} twice" for pin in set(pins) if pins.count(pin) > 1]
    buses: dict[str, set[str]] = {}
    users: dict[str, set[str]] = {model["console"]["uart"]: {"the console"}}
    lines: list[str] = []
    rates: dict[str, set[int]] = {}
    for wish, each in zip(wishes, given, strict=True):
        peripheral = each.function.split(" ")[0]
        instance = peripheral.split("_")[0]
        if wish.role == "pwm":
            rates.setdefault(instance, set()).add(wish.hz)
            if instance != "ledc":
                lines.append(peripheral)
        elif wish.role in BUS_LINES:
            lines.append(peripheral)
            buses.setdefault(wish.group or wish.owner, set()).add(instance)
            users.setdefault(instance, set()).add(wish.group or wish.owner)
    wrong += [f"{line} twice" for line in set(lines) if lines.count(line) > 1]
    wrong += [f"{bus} on {found}" for bus, found in buses.items() if len(found) > 1]
    wrong += [f"{name} for {found}" for name, found in users.items() if len(found) > 1]
    if "peripherals" in part:
        there = part["peripherals"]
        outputs = sum(wish.role == "pwm" for wish in wishes)
        if outputs > there["pwm_channels"] or len(rates.get("ledc", ())) > there["pwm_timers"]:
            wrong.append("more PWM than there is")
    else:
        wrong += [f"{timer} at {found}" for timer, found in rates.items() if len(found) > 1]
    return wrong


def answers(
    board: str, preferred: Sequence[str], wishes: Sequence[Wish]
) -> Iterator[tuple[Given, ...]]:
    """Every possible assignment, by trying all."""
    options = [list(possible(board, preferred, wish)) for wish in wishes]
    for given in product(*options):
        if not clashes(board, wishes, given):
            yield given


def size(board: str, preferred: Sequence[str], wishes: Sequence[Wish]) -> int:
    """How many assignments brute force would try."""
    total = 1
    for wish in wishes:
        total *= max(1, len(list(possible(board, preferred, wish))))
    return total


def changes(wishes: Sequence[Wish], given: Sequence[Given], previous: Mapping[str, str]) -> int:
    """How many pins are not what they were."""
    return sum(
        not wish.fixed and wish.owner in previous and previous[wish.owner] != each.pin
        for wish, each in zip(wishes, given, strict=True)
    )
