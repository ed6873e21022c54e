"""Every code that a designer, the pin solver or the validator may use. Codes are never reused."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from controlplane.domain.finding import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule, and what a finding with its code complains about."""

    code: str
    group: str
    meaning: str

    @property
    def severity(self) -> Severity:
        """Codes that begin with W warn."""
        return Severity.WARNING if self.code.startswith("W") else Severity.ERROR


_TABLE: Mapping[str, Mapping[str, str]] = {
    "The document": {
        "E101": (
            "a board model, part or kind of component that the catalogue does not have; in "
            "a prompt also an ambiguous board, or two that contradict each other"
        ),
        "E102": "an id that is not a short lower-case word",
        "E103": "an id that is used twice in its collection",
        "E104": "more entries than a design may have",
        "E105": "more than one node, or a node for another board than the design's",
        "E106": "an open question that blocks",
        "E107": "a wish that the designer called infeasible",
        "E108": "a document that does not have the shape of a design",
    },
    "Pins and buses": {
        "E110": "a pin that the part or the board does not have, or none is left",
        "E111": "a pin for two things, or a thing on two pins",
        "E112": "a pin that only reads is driven, or is asked for a resistor inside",
        "E113": "a pin that is kept: flash, PSRAM, USB, debug probe, crystal, module",
        "W114": "a strapping pin: its level decides something at reset",
        "E115": "a pin that carries the console",
        "E116": "an input of the second converter together with the radio, which takes it",
        "W116": "an input of the second converter",
        "E117": "a pin without a converter",
        "E118": "the pin solver stopped before it knew an answer",
        "E119": "a pin that a designer fixed although the prompt does not name it",
        "E120": "a function that is not on that pin, or not as that alternate function",
        "E121": "two users of one peripheral, or none is left with free pins",
        "E122": "a timer channel with two users, a timer with two frequencies, or none is left",
        "E130": (
            "a bus whose addresses clash, that lacks its resistors, lines or members, or is "
            "too fast"
        ),
        "E131": "a member of an SPI bus without a select pin of its own",
    },
    "Levels and power": {
        "E140": "a level that the pin does not tolerate",
        "E141": "a load that needs a driver",
        "W142": "an LED without a resistor",
        "E143": "more current than the supply gives",
    },
    "Behaviours and proofs": {
        "E150": "a behaviour that nothing proves, or no control run",
        "E151": "something refers to what does not exist, or a thing has no use",
        "E152": "a rate or time that is contradicted or cannot be met",
    },
    "The system": {
        "E160": (
            "cloud resources that depend on each other in a circle or on nothing, or a "
            "binding to nothing"
        ),
        "E161": "a secret in plain text",
        "W162": "messages that nobody carries, because the session has no stack",
        "E170": "two ends of a link that do not fit: bus, speed, level or radio",
        "E180": "a framework that the part does not have, or less memory than is asked for",
        "E190": "a proof that no simulator can observe",
    },
    "Prompts": {
        "E153": "thresholds that contradict each other",
        "E154": "a threshold over two sensors",
        "E155": "thresholds that cross, or of which both hold where they meet",
        "E156": "a hysteresis below the resolution of the sensor",
        "E157": "a threshold beyond what the sensor measures",
        "E158": (
            "an output with two masters, a command with two answers, a text said twice, or two "
            "things on one topic"
        ),
        "E159": "a text that cannot be a command, an answer or a topic",
        "E200": "words that are not understood, or a design that does nothing",
        "E201": "a number is missing",
        "E202": "a toggle rate in Hz, which could be either of two",
        "E203": "an unclear reference",
        "E204": "a missing or wrong unit",
    },
    "Answers of a model": {
        "E300": "an answer that does not have the shape that was asked for",
        "E301": "a proposed scenario that cannot be used, or proves too little",
        "E302": "a source file that breaks the rules for sketches",
        "E310": "Claude is not configured",
        "E311": "a ceiling of costs that the next call could break",
        "E312": "a model whose price is not known, under a ceiling",
        "E313": "the model declined to answer",
    },
}

RULES: Mapping[str, Rule] = MappingProxyType(
    {
        code: Rule(code=code, group=group, meaning=meaning)
        for group, meanings in _TABLE.items()
        for code, meaning in meanings.items()
    }
)
