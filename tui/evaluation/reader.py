"""Reads a prompt set. Hostile input: bounded, strict, every problem at once."""

import hashlib
import re

from benchline.errors import InvalidRequestError
from benchline.scenario.model import ScenarioError
from benchline.scenario.yamltree import Mapping, Node, Scalar, Sequence, read_node
from tui.evaluation.behaviours import read_behaviour
from tui.evaluation.fields import Complaints, Fields
from tui.evaluation.labels import (
    Answer,
    BoardFacts,
    BoardWish,
    Case,
    Does,
    Level,
    PromptSet,
    Thing,
    Why,
)

MOST_BYTES = 1024 * 1024
MOST_CASES = 1000
MOST_CHARACTERS = 4000

_ID = re.compile(r"[a-z][a-z0-9_]{0,47}")
_PIN = re.compile(r"P[A-K][0-9]{1,2}|GPIO[0-9]{1,2}")
_ACTIVE = ("high", "low")


def read_set(data: bytes) -> PromptSet:
    """Read a prompt set.

    Raises:
        InvalidRequestError: PROMPTS_INVALID, with every problem on its own line.
    """
    complaints = Complaints()
    root = _tree(data)
    top = Fields(root, "the file", complaints)
    if top.text("prompts", needed=True) not in {"1", ""}:
        top.complain("'prompts' is 1: no other version of the format is known", "prompts")
    title = top.text("title") or "without a title"
    boards = tuple(
        _board(top.inner("boards"), model)
        for model in Fields(top.node("boards"), "boards", complaints).names()
    )
    offers = _offers(top.inner("designers"))
    cases = _cases(top, {board.model for board in boards})
    top.close()
    if complaints.found:
        _raise(complaints)
    return PromptSet(
        title=title,
        sha256=hashlib.sha256(data).hexdigest(),
        cases=cases,
        boards=boards,
        offers=offers,
    )


def _tree(data: bytes) -> Node | None:
    complaints = Complaints()
    try:
        root = read_node(data.decode("utf-8"), MOST_BYTES)
    except UnicodeDecodeError as error:
        complaints.add(0, f"not UTF-8 at byte {error.start}")
    except ScenarioError as error:
        for finding in error.findings:
            complaints.add(finding.line, finding.message)
    else:
        if isinstance(root, Mapping):
            return root
        complaints.add(1, "a prompt set is a mapping of keys, starting 'prompts: 1'")
    _raise(complaints)
    return None


def _raise(complaints: Complaints) -> None:
    lines = [str(one) for one in complaints.found]
    if complaints.more:
        lines.append(f"and {complaints.more} more")
    raise InvalidRequestError("PROMPTS_INVALID", "\n".join(lines))


def _board(boards: Fields, model: str) -> BoardFacts:
    one = boards.inner(model)
    facts = BoardFacts(
        model=model,
        family=one.text("family", needed=True),
        part=one.text("part", needed=True),
        led=_level(one, "led"),
        button=_level(one, "button"),
    )
    one.close()
    return facts


def _level(board: Fields, key: str) -> Level | None:
    text = board.text(key)
    if not text:
        return None
    pin, _, active = text.partition(" ")
    if not _PIN.fullmatch(pin) or active not in _ACTIVE:
        board.complain(f"{board.where}.{key} is a pin and a level, as 'PC12 low'", key)
        return None
    return Level(pin=pin, active=active)


def _offers(designers: Fields) -> tuple[tuple[str, frozenset[str]], ...]:
    return tuple((name, frozenset(designers.texts(name))) for name in designers.names())


def _cases(top: Fields, boards: set[str]) -> tuple[Case, ...]:
    found = top.node("cases")
    if not isinstance(found, Sequence) or not found.items:
        top.complain("'cases' is a list with at least one case", "cases")
        return ()
    if len(found.items) > MOST_CASES:
        top.complain(f"more than {MOST_CASES} cases", "cases")
        return ()
    cases = []
    seen: set[str] = set()
    for number, node in enumerate(found.items, start=1):
        case = _case(node, number, boards, top.complaints)
        if case.id in seen:
            top.complaints.add(node.line, f"the id '{case.id}' stands here twice")
        seen.add(case.id)
        cases.append(case)
    return tuple(cases)


def _case(node: Node, number: int, boards: set[str], complaints: Complaints) -> Case:
    one = Fields(node, f"case {number}", complaints)
    case_id = one.text("id", needed=True)
    if case_id and not _ID.fullmatch(case_id):
        one.complain(f"{one.where}.id is lower case letters, digits and _", "id")
    one.where = case_id[:48] or one.where
    things = _things(one.inner("things"))
    case = Case(
        id=case_id,
        prompt=one.text("prompt", needed=True, most=MOST_CHARACTERS),
        board=one.text("board"),
        answer=Answer(one.word("answer", Answer, needed=True) or Answer.DESIGN),
        why=Why(why) if (why := one.word("why", Why)) else None,
        reason=one.text("reason"),
        about=one.texts("about"),
        needs=one.texts("needs"),
        on=_wish(one.inner("on"), boards),
        things=things,
        does=_does(one, {thing.name for thing in things}),
        unjudged=one.texts("unjudged"),
    )
    _check_answer(one, case)
    one.close()
    return case


def _check_answer(one: Fields, case: Case) -> None:
    built = bool(case.does or case.unjudged)
    if case.answer is Answer.REFUSE and (built or case.things or case.needs):
        one.complain(f"{one.where} is to be refused: it has no things, needs or behaviours")
    if case.answer is not Answer.REFUSE and not built:
        one.complain(f"{one.where} says nothing of what has to be seen: 'does' or 'unjudged'")
    if (case.answer is Answer.DESIGN) == (case.why is not None):
        one.complain(f"{one.where}: 'why' goes with refuse and either, and has to be there", "why")


def _wish(one: Fields, boards: set[str]) -> BoardWish:
    wish = BoardWish(
        model=one.text("model"),
        part=one.text("part"),
        family=one.word("family", ("stm32", "esp32")),
    )
    if wish.model and wish.model not in boards:
        one.complain(f"{one.where}.model '{wish.model}' is not among 'boards'", "model")
    one.close()
    return wish


def _things(things: Fields) -> tuple[Thing, ...]:
    found = []
    for name in things.names():
        one = things.inner(name)
        if not _ID.fullmatch(name):
            one.complain(f"{one.where}: a name is lower case letters, digits and _")
        pin = one.text("pin")
        if pin and not _PIN.fullmatch(pin):
            one.complain(f"{one.where}.pin is written as 'PB5' or 'GPIO4'", "pin")
        found.append(
            Thing(
                name=name,
                kind=one.text("kind", needed=True),
                on_board=(own := one.word("on_board", ("yes", "may", "no"))) == "yes",
                may_be_on_board=own in {"yes", "may"},
                pin=pin,
                active=one.word("active", _ACTIVE),
            )
        )
        one.close()
    return tuple(found)


def _does(case: Fields, things: set[str]) -> tuple[Does, ...]:
    found = case.node("does")
    if found is None:
        return ()
    if not isinstance(found, Sequence):
        case.complain(f"{case.where}.does is a list", "does")
        return ()
    behaviours = []
    for node in found.items:
        where = f"{case.where}.does"
        if not isinstance(node, Mapping) or len(node.entries) != 1:
            case.complaints.add(node.line, f"{where}: each item is one behaviour, as 'echo: {{}}'")
            continue
        ((kind, inner),) = node.entries.items()
        if isinstance(inner, Scalar) and not inner.text:
            inner = Mapping(line=node.line)
        fields = Fields(inner, f"{case.where}.{kind[:40]}", case.complaints, node.line)
        read = read_behaviour(kind, fields, things)
        fields.close()
        if read is not None:
            behaviours.append(read)
    return tuple(behaviours)
