"""The result file: written after every session, so that an interrupted evaluation goes on."""

import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchline.errors import ConflictError, InvalidRequestError
from tui.evaluation.oracle import Verdict
from tui.evaluation.spending import Spending

VERSION = 1
MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is evaluated; two files with equal plans are of the same evaluation."""

    title: str
    prompts_sha256: str
    cases: tuple[str, ...]
    designer: str
    until: str
    seed: int
    repeat: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One finding with the stage that made it."""

    stage: str
    code: str
    subject: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One session of one case. ``spending`` is None when the session says nothing of its cost."""

    case: str
    repeat: int
    seed: int
    tries: int
    session: str
    verdict: Verdict
    ending: str
    stage: str
    problems: tuple[str, ...]
    explained: bool
    reasons: tuple[Reason, ...]
    repairs: int
    wall_ms: int
    spending: Spending | None = None

    @property
    def key(self) -> tuple[str, int]:
        """Which trial of the plan it is."""
        return self.case, self.repeat


@dataclass(slots=True, kw_only=True)
class Results:
    """A result file. ``run_id`` names the sessions, so that none is started twice."""

    plan: Plan
    run_id: str
    machine: str
    begun: str
    server: str = ""
    ended: str = ""
    trials: dict[tuple[str, int], Trial] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The file as JSON types, trials in the order of the plan."""
        order = {name: index for index, name in enumerate(self.plan.cases)}
        trials = sorted(self.trials.values(), key=lambda t: (order.get(t.case, 0), t.repeat))
        return {
            "evaluation": VERSION,
            "run_id": self.run_id,
            "machine": self.machine,
            "server": self.server,
            "begun": self.begun,
            "ended": self.ended,
            "plan": asdict(self.plan),
            "trials": [asdict(one) for one in trials],
        }

    def save(self, path: Path, summary: dict[str, Any] | None = None) -> None:
        """Write the file whole or not at all."""
        document = self.document() | ({"summary": summary} if summary else {})
        text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
        descriptor, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
                handle.write(text)
                handle.flush()
                os.fsync(handle.fileno())
            Path(scratch).replace(path)
        except BaseException:
            Path(scratch).unlink(missing_ok=True)
            raise


def load(path: Path, plan: Plan) -> Results | None:
    """An evaluation that was begun; None when there is no file.

    Raises:
        InvalidRequestError: RESULTS_UNREADABLE.
        ConflictError: RESULTS_DIFFER, when the file is of another evaluation.
    """
    if not path.exists():
        return None
    try:
        found = _results(json.loads(_bounded(path)))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InvalidRequestError(
            "RESULTS_UNREADABLE", f"{path} is no result file of `benchline eval`: {error}"
        ) from error
    different = [name for name, value in asdict(plan).items() if asdict(found.plan)[name] != value]
    if different:
        raise ConflictError(
            "RESULTS_DIFFER",
            f"{path} is of another evaluation ({', '.join(different)} differ); give another --out, "
            "or --fresh to begin anew",
        )
    return found


def _bounded(path: Path) -> bytes:
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"larger than {MOST_BYTES} bytes")
    return path.read_bytes()


def _results(raw: dict[str, Any]) -> Results:
    if raw["evaluation"] != VERSION:
        raise ValueError(f"version {raw['evaluation']!r} is not {VERSION}")
    plan = raw["plan"] | {"cases": tuple(raw["plan"]["cases"])}
    trials = [_trial(one) for one in raw["trials"]]
    return Results(
        plan=Plan(**plan),
        run_id=str(raw["run_id"]),
        machine=str(raw["machine"]),
        server=str(raw["server"]),
        begun=str(raw["begun"]),
        ended=str(raw["ended"]),
        trials={one.key: one for one in trials},
    )


def _trial(raw: dict[str, Any]) -> Trial:
    spending = raw["spending"]
    return Trial(
        **raw
        | {
            "verdict": Verdict(raw["verdict"]),
            "problems": tuple(map(str, raw["problems"])),
            "reasons": tuple(Reason(**one) for one in raw["reasons"]),
            "spending": None if spending is None else Spending(**spending),
        }
    )
