"""Reports: "report the temperature every second", in many wordings."""

from fractions import Fraction

from controlplane.planning.grammar import (
    Alt,
    Feature,
    Features,
    Items,
    Mapped,
    Mark,
    Opt,
    Rule,
    Seq,
    Words,
)
from controlplane.planning.intent import (
    Report,
    SensorRef,
    Unusable,
    ValueKind,
    ValueRef,
    Wire,
)
from controlplane.planning.phrases import AMOUNT_UNIT, Things
from controlplane.planning.rates import CYCLE, value_of, values_of
from controlplane.planning.wording import (
    ALWAYS,
    CHANNEL,
    COMMA,
    LEAD,
    MEASURE,
    PRINT,
    verb,
    with_spans,
)


def report_clause(things: Things) -> Rule:
    """Print one to three values again and again, or measure what is reported later."""
    values = Seq(
        things.value,
        Opt(Seq(Words(",|and|, and|&|as well as|plus"), things.value)),
        Opt(Seq(Words(",|and|, and|&|as well as|plus"), things.value)),
    )
    it = Mark(
        Feature(
            Words("it|them|this|result|value|reading"),
            "value",
            ValueRef(ValueKind.SENSOR, sensor=SensorRef("it")),
        ),
        "the value before",
    )
    printing = verb(PRINT, "print")
    measuring = verb(MEASURE, "measure", "measure")
    units = Mark(Seq(Words("in|as"), AMOUNT_UNIT), "in a unit")
    items = Items(
        {
            "verb": Alt(printing, measuring),
            "noun": Mark(
                Words(
                    "report|reports|reporting|printout|readout|report of|i want to see|"
                    "i'd like to see|i would like to see|i want to know|let me see|let me know",
                    "verb",
                ),
                "print",
            ),
            "values": Alt(values, it),
            "cycle": CYCLE,
            "channel": CHANNEL,
            "always": ALWAYS,
            "units": units,
            "source": Seq(
                Words("from|with|using|of|by"),
                Mapped(things.sensor, lambda f: (("source", value_of(f, "sensor")), *f[1:])),
            ),
            "again": Seq(
                Words("and|, and|and then|then"),
                printing,
                Alt(
                    Mark(
                        Words("it|them|result|value|this|that|reading|its value"),
                        "the value before",
                    ),
                    Mapped(things.sensor, lambda f: (("repeated", value_of(f, "sensor")), *f[1:])),
                ),
            ),
            "increment": verb("increment|increase|advance|count up", "count up", "increment"),
        },
        ("values",),
        COMMA,
        {"cycle": 2},
    )
    return Mapped(Seq(LEAD, items), _report)


_REPORTED_UNITS = {
    "tmp36": ("C", "degrees"),
    "potentiometer": ("%",),
    "ldr": ("%",),
    "analog_input": ("mV",),
    "hc_sr04": ("cm",),
}


def _report(features: Features) -> Features | None:
    values = tuple(v for v in values_of(features, "value") if isinstance(v, ValueRef))
    periods = {p for p in values_of(features, "period") if isinstance(p, Fraction)}
    printing = value_of(features, "verb") is not None
    measuring = value_of(features, "measure") is not None
    repeated = value_of(features, "repeated")
    if value_of(features, "increment") and any(v.kind is not ValueKind.COUNTER for v in values):
        return None
    if isinstance(repeated, SensorRef) and [v.sensor and v.sensor.kind for v in values] != [
        repeated.kind
    ]:
        return None
    source, unit = value_of(features, "source"), value_of(features, "dimension")
    if isinstance(source, SensorRef):
        kinds = {v.sensor.kind for v in values if v.sensor is not None}
        if kinds != {source.kind}:
            return None
        values = tuple(ValueRef(ValueKind.SENSOR, sensor=source) for _ in values)
    if unit is not None and not all(
        v.sensor is not None and str(unit) in _REPORTED_UNITS.get(v.sensor.kind, ()) for v in values
    ):
        return None
    if len(periods) > 1:
        return with_spans(
            features,
            Unusable(
                code="E152",
                subject="report",
                message="the report has two different periods.",
                fix='Say one period, e.g. "report the temperature every second".',
            ),
        )
    period = next(iter(periods), None)
    if period is None and not printing and measuring:
        sensors = [v.sensor for v in values if v.sensor is not None]
        return with_spans(features, *(Wire(sensor=sensor) for sensor in sensors))
    if period is None and not printing:
        return None
    return with_spans(
        features,
        Report(
            values=values,
            period=period,
            verb=printing or measuring,
            measured=measuring and not printing,
        ),
    )
