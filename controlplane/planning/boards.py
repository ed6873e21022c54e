"""Which board model a design is for: from the prompt, from the operator's wish, or by default."""

from collections.abc import Iterable, Sequence

from controlplane.catalog.loader import Catalogue
from controlplane.catalog.naming import Naming
from controlplane.domain.bench import Board
from controlplane.domain.design import BoardChoice, FixedBy
from controlplane.domain.finding import Finding
from controlplane.planning.leases import SelectorError, parse_selector

DEFAULT_MODEL = "olimex-stm32-h405"
"""The board model of a design for which none was named."""

_SHOWN = 80


def read_wish(wish: str, catalogue: Catalogue, bench: Iterable[Board]) -> Naming | Finding | None:
    """What `--board` says about the board model; None when it leaves it open.

    A wish is a name of a board model, part or family, of a board on a bench, or a selector.
    """
    if not wish:
        return None
    if "=" not in wish and "," not in wish:
        return catalogue.named(wish) or _on_bench(wish, catalogue, bench)
    try:
        selector = parse_selector(wish)
    except SelectorError as error:
        return _finding(wish, f"{wish[:_SHOWN]!r} is no selector: {error}.", _SELECTOR)
    found: Naming | None = None
    for key, said in (("model", selector.model), ("part", selector.part), ("", selector.word)):
        if not said:
            continue
        named = catalogue.named(said) if key else None
        if key == "part" and said in catalogue.parts:
            on_part = frozenset(b.key for b in catalogue.boards.values() if b.part == said)
            named = Naming(models=on_part, default=catalogue.parts[said].default_model)
        meant = named or _on_bench(said, catalogue, bench)
        if isinstance(meant, Finding):
            return meant
        found = meant if found is None else found.both(meant)
    if found is None and (selector.name or selector.kind):
        fitting = frozenset(b.model for b in bench if selector.accepts(b)) & set(catalogue.boards)
        if fitting:
            default = DEFAULT_MODEL if DEFAULT_MODEL in fitting else ""
            return Naming(models=fitting, default=default)
    return found


def choose_model(
    catalogue: Catalogue, wish: str, said: Sequence[Naming], bench: Iterable[Board]
) -> BoardChoice | Finding:
    """The board model of a design; ``said`` are the names in the prompt.

    Names narrow one another; contradictions and ambiguities are findings with the list.
    """
    wished = read_wish(wish, catalogue, bench)
    if isinstance(wished, Finding):
        return wished
    meant = _together(said, wished)
    if meant is None:
        return _choice(
            catalogue,
            DEFAULT_MODEL,
            "the default board model; none was named",
            FixedBy.DESIGNER,
        )
    if not meant.models:
        return _contradiction(catalogue, wish, said, wished)
    if not meant.meant:
        listed = ", ".join(sorted(meant.models))
        return _finding(
            wish or "board",
            f"several board models are meant: {listed}.",
            f"Name one of them, e.g. {min(meant.models)}.",
        )
    reason = "named in the prompt" if said else f"asked for as {wish[:_SHOWN]}"
    others = sorted(meant.models - {meant.meant})
    if others:
        reason += f"; the usual one of those it can mean (also {', '.join(others)})"
    return _choice(catalogue, meant.meant, reason, FixedBy.USER)


def models_to_choose(
    catalogue: Catalogue, wish: str, said: Sequence[Naming], bench: Iterable[Board]
) -> tuple[str, ...]:
    """The board models among which only a person can choose; none where nothing is ambiguous."""
    wished = read_wish(wish, catalogue, bench)
    meant = None if isinstance(wished, Finding) else _together(said, wished)
    if meant is None or meant.meant:
        return ()
    return tuple(sorted(meant.models, key=lambda key: (key != DEFAULT_MODEL, key)))


def _together(said: Sequence[Naming], wished: Naming | None) -> Naming | None:
    """What all names mean, each narrowing the others; None where nothing is named."""
    meant: Naming | None = None
    for naming in [*said, *([wished] if wished else [])]:
        meant = naming if meant is None else meant.both(naming)
    return meant


def bench_selector(model: str, wish: str, catalogue: Catalogue) -> str:
    """What a leased board must match: the model of the design, and what the wish says besides."""
    terms = {"model": model}
    if "=" not in wish and "," not in wish:
        if wish and catalogue.named(wish) is None:
            terms["name"] = wish
    else:
        selector = parse_selector(wish)
        word = selector.word if catalogue.named(selector.word) is None else ""
        terms |= {"kind": selector.kind, "name": selector.name or word}
    return ",".join(f"{key}={value}" for key, value in terms.items() if value)


def _choice(catalogue: Catalogue, key: str, reason: str, fixed_by: FixedBy) -> BoardChoice:
    board = catalogue.boards[key]
    return BoardChoice(model=key, part=board.part, reason=reason, fixed_by=fixed_by)


def _contradiction(
    catalogue: Catalogue, wish: str, said: Sequence[Naming], wished: Naming | None
) -> Finding:
    keys = sorted({key for naming in said for key in naming.models})
    if wished is None:
        return _finding("board", f"two board models are named: {', '.join(keys)}.", "Name one.")
    return _finding(
        wish,
        f"the prompt names {' or '.join(keys)}, and --board names "
        f"{' or '.join(sorted(wished.models))}.",
        "Name the same, or leave one out.",
    )


def _on_bench(name: str, catalogue: Catalogue, bench: Iterable[Board]) -> Naming | Finding:
    models = frozenset(
        b.model for b in bench if name in (b.name, b.board_id, b.model, b.part)
    ) & set(catalogue.boards)
    if models:
        return Naming(models=models)
    return _finding(
        name,
        f"{name[:_SHOWN]!r} is no board model, part or board.",
        f"Known board models: {', '.join(sorted(catalogue.boards))}.",
    )


_SELECTOR = 'Write e.g. "model=esp32-c3-devkitm-1,kind=virtual".'


def _finding(subject: str, message: str, fix: str) -> Finding:
    return Finding(code="E101", subject=subject[:_SHOWN], message=message, fix=fix)
