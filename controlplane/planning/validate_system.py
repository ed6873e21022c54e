"""The rules of nodes, links, cloud resources, frameworks and what a simulator can observe."""

import re

from benchline.scenario import KNOWN_CAPABILITIES
from controlplane.domain.design import Design
from controlplane.domain.finding import Finding
from controlplane.domain.hardware import DesignNode, Framework, Link, LinkKind, RequirementKind
from controlplane.domain.part import BoardModel, Family, Part
from controlplane.domain.units import parse_decimal
from controlplane.planning.complaints import complaint

_UNOBSERVED = frozenset({"reset", "power.cycle"})
"""Capabilities of the scenario language that no simulator here offers."""

_FRAMEWORKS = {
    Framework.ESP_IDF: (Family.ESP32,),
    Framework.BENCH_CORE: (Family.STM32, Family.ESP32),
    Framework.ARDUINO: (Family.STM32, Family.ESP32),
    Framework.ZEPHYR: (Family.STM32, Family.ESP32),
}
_WIRED = {
    LinkKind.UART: "uart",
    LinkKind.RS485: "uart",
    LinkKind.CAN: "can",
    LinkKind.I2C: "i2c",
}
_SECRET_KEY = re.compile(
    r"(?i)(?:^|[_\-. ])(?:password|passwd|pass|secret|token|api_?key|private_?key|psk)$"
)
_SECRET_TEXT = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bsk-[A-Za-z0-9_-]{20,}"
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}|(?i:\b(?:password|passphrase|api key)\s*[:=]\s*\S+)"
)
_REFERENCE = re.compile(r"(?:\$\{[A-Za-z0-9_.]+\}|secret:[A-Za-z0-9_./-]+)?")
_KIB = 1024


def system_findings(design: Design, board: BoardModel, part: Part) -> list[Finding]:
    """What is wrong beyond pins and currents."""
    return [
        *_questions(design),
        *_nodes(design, board, part),
        *_requirements(design, part),
        *_links(design, part),
        *_cloud(design),
        *_secrets(design),
        *_observable(design),
    ]


def _questions(design: Design) -> list[Finding]:
    findings = [
        complaint("E106", each.id, each.text[:200], "Answer it.")
        for each in design.open_questions
        if each.blocking and not each.default
    ]
    findings += [
        complaint("E107", each.requirement[:80], each.reason[:200], "Leave it out.")
        for each in design.infeasible
    ]
    return findings


def _nodes(design: Design, board: BoardModel, part: Part) -> list[Finding]:
    findings = []
    if len(design.nodes) > 1:
        message = f"{len(design.nodes)} nodes; a session builds for one board."
        findings.append(complaint("E105", "nodes", message, "Design one board at a time."))
    for node in design.nodes:
        if (node.board_model, node.part) != (board.key, part.key):
            message = f"the node is a {node.board_model} and the design is for a {board.key}."
            findings.append(complaint("E105", node.id, message, "Name the same board."))
        findings += _console(node, board)
        findings += _framework(node, part)
        room = (
            (node.min_flash_kib, part.flash_bytes, "flash"),
            (node.min_ram_kib, part.ram_bytes, "RAM"),
        )
        findings += [
            complaint(
                "E180",
                node.id,
                f"{asked} KiB of {what} are asked for; {part.name} has {there // _KIB}.",
                "Use a larger part.",
            )
            for asked, there, what in room
            if asked * _KIB > there
        ]
    return findings


def _console(node: DesignNode, board: BoardModel) -> list[Finding]:
    there, said = board.console, node.console
    wanted = (there.uart, there.tx, there.rx, there.baud)
    if (said.uart, said.tx_pin, said.rx_pin, said.baud) == wanted:
        return []
    message = f"the console of the {board.name} is {there.uart} on {there.tx} and {there.rx}"
    return [complaint("E115", node.id, f"{message} at {there.baud} baud.", "State it so.")]


def _framework(node: DesignNode, part: Part) -> list[Finding]:
    families = _FRAMEWORKS[node.framework]
    if part.family in families and (node.framework is not Framework.BENCH_CORE or part.bench_core):
        return []
    message = f"{node.framework} is not made for the {part.name}."
    able = [each for each, for_them in _FRAMEWORKS.items() if part.family in for_them]
    able = [each for each in able if each is not Framework.BENCH_CORE or part.bench_core]
    return [complaint("E180", node.id, message, f"Use {' or '.join(able)}.")]


def _requirements(design: Design, part: Part) -> list[Finding]:
    findings = []
    nodes = {node.id for node in design.nodes}
    rooms = {
        RequirementKind.FLASH_LIMIT: part.flash_bytes // _KIB,
        RequirementKind.RAM_LIMIT: part.ram_bytes // _KIB,
    }
    for each in design.requirements:
        if each.node not in nodes:
            message = f"node {each.node!r} does not exist."
            findings.append(complaint("E151", each.id, message, "Name a node."))
        try:
            value = parse_decimal(each.value)
        except ValueError:
            message = f"{each.value[:40]!r} is no number."
            findings.append(complaint("E152", each.id, message, "Write a decimal number."))
            continue
        if value < 0:
            findings.append(complaint("E152", each.id, "the value is below 0.", "Use another."))
        if each.kind in rooms and value > rooms[each.kind]:
            message = f"{each.value} KiB; {part.name} has {rooms[each.kind]}."
            findings.append(complaint("E180", each.id, message, "Use a larger part."))
        if each.kind is RequirementKind.MAX_CURRENT and 0 < value < part.supply_ma:
            message = f"{each.value} mA; {part.name} alone takes up to {part.supply_ma} mA."
            findings.append(complaint("E143", each.id, message, "Allow more, or use another part."))
    return findings


def _links(design: Design, part: Part) -> list[Finding]:
    return [found for link in design.links for found in _link(link, design, part)]


def _link(link: Link, design: Design, part: Part) -> list[Finding]:
    nodes = {node.id: node for node in design.nodes}
    buses = {bus.id: bus for bus in design.buses}
    problems: list[tuple[str, str]] = []
    wanted = _WIRED.get(link.kind)
    for end in (link.a, link.b):
        if end.node and end.node not in nodes:
            problems.append((f"node {end.node!r} does not exist.", "Name a node."))
        if end.bus and end.bus not in buses:
            problems.append((f"bus {end.bus!r} does not exist.", "Name a bus."))
        elif end.bus and wanted is not None and buses[end.bus].kind != wanted:
            problems.append(
                (f"{end.bus} is {buses[end.bus].kind}, not {wanted}.", "Use such a bus.")
            )
        if end.node in nodes and wanted is not None and not end.bus:
            problems.append((f"{end.node} names no bus for it.", f"Name a {wanted} bus."))
        if end.node in nodes and link.kind.needs_radio and not _has_radio(part, nodes[end.node]):
            problems.append((f"{end.node} has no radio.", "Use a board with one, or a wire."))
    a, b = link.a, link.b
    if a.node == b.node and a.bus == b.bus:
        problems.append(("both ends are the same.", "Name two ends."))
    if a.speed_hz and b.speed_hz and a.speed_hz != b.speed_hz:
        problems.append((f"one end has {a.speed_hz}, the other {b.speed_hz}.", "Use one speed."))
    if a.level_mv and b.level_mv and a.level_mv != b.level_mv:
        problems.append(
            (f"one end has {a.level_mv} mV, the other {b.level_mv} mV.", "Use a level shifter.")
        )
    if link.kind is LinkKind.WIFI_MQTT and not link.topic:
        problems.append(("the link has no topic.", "Name one."))
    return [complaint("E170", link.id, message, fix) for message, fix in problems]


def _has_radio(part: Part, node: DesignNode) -> bool:
    return part.family is Family.ESP32 and node.radio


def _cloud(design: Design) -> list[Finding]:
    resources = {each.id: each for each in design.cloud.resources}
    nodes = {node.id for node in design.nodes}
    findings = [
        complaint("E160", each.id, f"it depends on {name!r}, which does not exist.", "Add it.")
        for each in design.cloud.resources
        for name in each.depends_on
        if name not in resources
    ]
    for binding in design.cloud.bindings:
        if binding.resource not in resources:
            message = f"it is bound to {binding.resource!r}, which does not exist."
            findings.append(complaint("E160", binding.env_key[:80], message, "Add it."))
        if binding.node not in nodes:
            message = f"node {binding.node!r} does not exist."
            findings.append(complaint("E160", binding.env_key[:80], message, "Name a node."))
    settled: set[str] = set()
    waiting = {
        key: {n for n in each.depends_on if n in resources} for key, each in resources.items()
    }
    while ready := [key for key, needs in waiting.items() if needs <= settled]:
        settled.update(ready)
        waiting = {key: needs for key, needs in waiting.items() if key not in settled}
    if waiting:
        ring = " and ".join(sorted(waiting))
        message = f"{ring} depend on each other in a circle."
        findings.append(complaint("E160", min(waiting), message, "Break the circle."))
    return findings


def _secrets(design: Design) -> list[Finding]:
    fix = "Name the secret, e.g. secret:wifi_password; its value is given at provisioning."
    findings = [
        complaint("E161", each.id, f"{parameter.key[:40]!r} holds a value in plain text.", fix)
        for each in design.cloud.resources
        for parameter in each.parameters
        if (_SECRET_KEY.search(parameter.key) or each.sensitive)
        and not _REFERENCE.fullmatch(parameter.value)
    ]
    texts = [("summary", design.summary)]
    texts += [(each.id, each.text) for each in design.assumptions]
    texts += [(each.id, each.text) for each in design.behaviours]
    texts += [(each.id, p.value) for each in design.behaviours for p in each.parameters]
    texts += [(each.id, each.note) for each in design.components]
    texts += [(each.id, p.value) for each in design.cloud.resources for p in each.parameters]
    findings += [
        complaint("E161", subject, "the text holds a key or a password.", fix)
        for subject, text in texts
        if _SECRET_TEXT.search(text)
    ]
    return findings


def _observable(design: Design) -> list[Finding]:
    return [
        complaint(
            "E190",
            scenario.id,
            f"the scenario requires {name[:40]!r}, which no simulator here can observe.",
            "Judge it another way, or leave the requirement out.",
        )
        for scenario in design.scenarios
        for name in scenario.requires
        if name not in KNOWN_CAPABILITIES - _UNOBSERVED
    ]
