"""Wrong variants of what sketches publish and of what messages do."""

import re

from controlplane.domain.units import decimal_text, parse_decimal
from controlplane.firmware.mutant import Mutant

_PERIOD = re.compile(r"const unsigned long (\w+)_PUBLISH_(MS|US) = (\d+);")
_LIMIT = re.compile(r"const float (\w+)_(PUBLISH|ARM)_AT = (-?[\d.]+)f;")
_CALL = re.compile(r"Cloud\.publish\((\"[^\"]+\"), ([^;]+)\);")
_SUBSCRIBE = re.compile(r"Cloud\.subscribe\(\"([^\"]+)\", (\w+)\);")
_HANDLER = re.compile(r"void (heard\w+)\([^\n]*\) \{\n(.*?)\n\}\n", re.DOTALL)
_PASSING = re.compile(r"IsArmed && \w+ (>=|<=|>|<) ")
_SWAPPED = {">": "<", "<": ">", ">=": "<=", "<=": ">="}
_EXPECTED = ("published", "no_published", "message", "no_message")


def cut(sketch: str, match: re.Match[str], group: int, new: str) -> str:
    """A sketch with a group of a match replaced."""
    return sketch[: match.start(group)] + new + sketch[match.end(group) :]


def cloud_mutants(sketch: str) -> list[Mutant]:
    """Every mutant of a sketch's cloud; none for a sketch without one."""
    found = [*_periods(sketch), *_limits(sketch), *_calls(sketch), *_messages(sketch)]
    for match in _PASSING.finditer(sketch):
        swapped = _SWAPPED[match[1]]
        found.append(_mutant(f"passing_{match.start()}", cut(sketch, match, 1, swapped)))
    return found


def _mutant(name: str, text: str, expected: tuple[str, ...] = _EXPECTED) -> Mutant:
    return Mutant(name=name, text=text, expected=expected)


def _periods(sketch: str) -> list[Mutant]:
    return [
        _mutant(
            f"publish_period_{match[1].lower()}",
            cut(sketch, match, 3, str(int(match[3]) * 11 // 10 + 1)),
        )
        for match in _PERIOD.finditer(sketch)
    ]


def _limits(sketch: str) -> list[Mutant]:
    found = []
    for match in _LIMIT.finditer(sketch):
        value = parse_decimal(match[3])
        for step in (1, -1) if abs(value) < 200 else (10, -10):
            text = decimal_text(value + step)
            text = text if "." in text else f"{text}.0"
            name = f"limit_{match[1].lower()}_{match[2].lower()}_{step:+d}"
            found.append(_mutant(name, cut(sketch, match, 3, text)))
    return found


def _calls(sketch: str) -> list[Mutant]:
    """Published on another topic, not at all, and as a constant."""
    found = []
    for number, match in enumerate(_CALL.finditer(sketch)):
        topic = match[1][:-1] + 'x"'
        found += [
            _mutant(f"topic_{number}", cut(sketch, match, 1, topic)),
            _mutant(f"not_published_{number}", cut(sketch, match, 0, ";")),
            _mutant(f"constant_{number}", cut(sketch, match, 2, "20.0, 1")),
        ]
    return found


def _messages(sketch: str) -> list[Mutant]:
    """A topic that is not heard, and a handler that does nothing, or the opposite."""
    found = []
    for match in _SUBSCRIBE.finditer(sketch):
        name = match[2].lower()
        outputs = tuple(re.findall(r"set([A-Z]\w+)\(", _body(sketch, match[2])))
        expected = (*_EXPECTED, *(re.sub(r"(?<!^)([A-Z])", r"_\1", o).lower() for o in outputs))
        found.append(_mutant(f"topic_{name}", cut(sketch, match, 1, match[1] + "y"), expected))
        for handler in _HANDLER.finditer(sketch):
            if handler[1] != match[2]:
                continue
            found.append(_mutant(f"deaf_{name}", cut(sketch, handler, 2, ""), expected))
            if "true" in handler[2] or "false" in handler[2]:
                body = re.sub("true|false", _opposite, handler[2])
                found.append(_mutant(f"inverted_{name}", cut(sketch, handler, 2, body), expected))
            if "if (payload" in handler[2]:
                body = re.sub(r"if \(payload == \"[^\"]*\"\) ", "", handler[2])
                found.append(_mutant(f"any_text_{name}", cut(sketch, handler, 2, body), expected))
    return found


def _opposite(said: re.Match[str]) -> str:
    return "false" if said[0] == "true" else "true"


def _body(sketch: str, function: str) -> str:
    return next((match[2] for match in _HANDLER.finditer(sketch) if match[1] == function), "")
