"""The scenario language: what a device is told, what it must do, and whether it did.

Pure: no clock, no files, no network. A simulator and a bench judge with this same code.
"""

from benchline.scenario.check import KNOWN_CAPABILITIES, check, drawn_examples
from benchline.scenario.clock import ClockMeter, ClockReading
from benchline.scenario.draw import derive_seed
from benchline.scenario.evaluate import Evaluator, evaluate, missing_capabilities, skipped_result
from benchline.scenario.model import Finding, Scenario, ScenarioError, Severity, Signal, SignalKind
from benchline.scenario.parse import parse_scenario, read_scenario
from benchline.scenario.plan import Moment, RunPlan
from benchline.scenario.records import Event, EventKind, RecordSplitter
from benchline.scenario.report import digest, plain, report_json, report_junit, report_table
from benchline.scenario.resolve import resolve
from benchline.scenario.result import (
    AssertionResult,
    ByteRange,
    Outcome,
    RunEnd,
    RunEndReason,
    ScenarioResult,
    combine_outcomes,
)
from benchline.scenario.table import StimulusTable, TableError, TableRow, pack_table, unpack_table
from benchline.scenario.text import TextSplitter, beyond_text
from benchline.scenario.trace import (
    Divergence,
    TraceDiff,
    TraceVerdict,
    diff_traces,
    masked_bytes,
    pin_names,
)
from benchline.scenario.units import pin_number
from benchline.scenario.where import Where, WhereError, compile_where

__all__ = [
    "KNOWN_CAPABILITIES",
    "AssertionResult",
    "ByteRange",
    "ClockMeter",
    "ClockReading",
    "Divergence",
    "Evaluator",
    "Event",
    "EventKind",
    "Finding",
    "Moment",
    "Outcome",
    "RecordSplitter",
    "RunEnd",
    "RunEndReason",
    "RunPlan",
    "Scenario",
    "ScenarioError",
    "ScenarioResult",
    "Severity",
    "Signal",
    "SignalKind",
    "StimulusTable",
    "TableError",
    "TableRow",
    "TextSplitter",
    "TraceDiff",
    "TraceVerdict",
    "Where",
    "WhereError",
    "beyond_text",
    "check",
    "combine_outcomes",
    "compile_where",
    "derive_seed",
    "diff_traces",
    "digest",
    "drawn_examples",
    "evaluate",
    "masked_bytes",
    "missing_capabilities",
    "pack_table",
    "parse_scenario",
    "pin_names",
    "pin_number",
    "plain",
    "read_scenario",
    "report_json",
    "report_junit",
    "report_table",
    "resolve",
    "skipped_result",
    "unpack_table",
]
