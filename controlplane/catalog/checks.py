"""What has to hold among the entries of the catalogue."""

from collections.abc import Mapping

from controlplane.domain.design import Active, Pull, SignalKind
from controlplane.domain.part import BoardModel, ComponentKind, Part


def part_problems(parts: Mapping[str, Part], boards: Mapping[str, BoardModel]) -> list[str]:
    """Every reason why a part's entry cannot be used."""
    problems = []
    for part in parts.values():
        if not part.sources:
            problems.append(f"{part.key}: no sources")
        if not part.targets:
            problems.append(f"{part.key}: no flash tool has a name for it")
        names = [pin.name for pin in part.pins]
        problems += [f"{part.key}: two pins {n}" for n in set(names) if names.count(n) > 1]
        model = boards.get(part.default_model)
        if model is None or model.part != part.key:
            problems.append(f"{part.key}: {part.default_model} is no board model of this part")
        end = part.flash_base
        for region in part.flash:
            if region.base != end:
                problems.append(f"{part.key}: flash region {region.name} leaves a gap or overlaps")
            end = region.base + region.size
        if part.flash and end != part.flash_base + part.flash_bytes:
            problems.append(f"{part.key}: the flash map does not cover the flash")
        if bool(part.flash) is not part.bench_core:
            problems.append(f"{part.key}: a bench core and a flash map go together")
    return problems


def board_problems(parts: Mapping[str, Part], boards: Mapping[str, BoardModel]) -> list[str]:
    """Every reason why a board model's entry cannot be used."""
    problems = []
    for board in boards.values():
        part = parts.get(board.part)
        if part is None:
            problems.append(f"{board.key}: unknown part {board.part}")
            continue
        named = [
            board.console.tx,
            board.console.rx,
            *board.preferred,
            *(pin for pin, _ in board.reserved),
            *(item.pin for item in board.onboard),
            *(pin for pin, _ in (board.wokwi.pins if board.wokwi else ())),
        ]
        problems += [f"{board.key}: {part.key} has no {pin}" for pin in named if not part.pin(pin)]
        kept = {pin.name for pin in part.pins if pin.kept_for}
        kept |= {name for name, _ in board.reserved} | {board.console.tx, board.console.rx}
        problems += [f"{board.key}: {pin} is not free" for pin in board.preferred if pin in kept]
        # An input that nothing stimulates reads its pull: without one such a button is held down.
        problems += [
            f"{board.key}: the {item.label} is on when low and has no pull up"
            for item in board.onboard
            if item.kind == "button" and item.active is Active.LOW and item.pull is not Pull.UP
        ]
        if not part.target(board.flash_tool):
            problems.append(f"{board.key}: {board.flash_tool} has no name for {part.key}")
        if board.flash_bytes < part.flash_bytes:
            problems.append(f"{board.key}: less flash than its part")
        if not board.sources:
            problems.append(f"{board.key}: no sources")
        machines = {way.machine for way in board.simulators if way.backend == "wokwi"}
        if machines != ({board.wokwi.board} if board.wokwi else set()):
            problems.append(f"{board.key}: its Wokwi board and its Wokwi rung are not the same")
    return problems


def component_problems(
    components: Mapping[str, ComponentKind], parts: Mapping[str, Part]
) -> list[str]:
    """Every reason why a component's entry cannot be used."""
    problems = []
    owner: dict[str, str] = {}
    for kind in components.values():
        if not kind.sources:
            problems.append(f"{kind.key}: no sources")
        if kind.signal_kind is SignalKind.ANALOG and kind.mv_per_unit <= 0:
            problems.append(f"{kind.key}: mv_per_unit must be above 0")
        if kind.bounces and kind.signal_kind is not SignalKind.DIGITAL_IN:
            problems.append(f"{kind.key}: only a contact that is read can bounce")
        if kind.has_trigger and kind.us_per_unit <= 0:
            problems.append(f"{kind.key}: us_per_unit must be above 0")
        highest = kind.mv_at_zero + kind.maximum * kind.mv_per_unit
        if kind.spans_full_scale and (highest != kind.full_scale_mv or kind.mv_at_zero):
            problems.append(f"{kind.key}: does not span the full scale")
        problems.extend(
            f"{kind.key}: gives more than a {part.key} measures"
            for part in parts.values()
            if not kind.spans_full_scale and highest > part.adc_highest_mv
        )
        problems.extend(
            f"{kind.key}: {word!r} also names {owner[word]}"
            for word in kind.words
            if owner.setdefault(word, kind.key) != kind.key
        )
    return problems
