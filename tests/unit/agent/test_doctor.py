"""The checks of a lab PC, on PCs that were written for it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchagent.discovery import UsbTree
from benchagent.discovery.table import usb_table
from benchagent.doctor import Check, Pc, checks, report
from benchagent.doctor.udev import FILE, covered, udev_rules
from tests.unit.agent.usb_tree import ALL, TreeWriter


@pytest.fixture
def tree(tmp_path: Path) -> TreeWriter:
    return TreeWriter(tmp_path)


def a_pc(tree: TreeWriter, *, user: int = 1000) -> Pc:
    root = tree.sysfs.parent
    for folder in ("proc", "rules"):
        (root / folder).mkdir(exist_ok=True)
    return Pc(
        usb=UsbTree(sysfs=tree.sysfs, dev=tree.dev),
        proc=root / "proc",
        rules=(root / "rules",),
        user=user,
    )


def process(pc: Pc, pid: int, name: str, *, holds: Path | None = None) -> None:
    folder = pc.proc / str(pid)
    (folder / "fd").mkdir(parents=True)
    (folder / "comm").write_text(f"{name}\n")
    if holds is not None:
        (folder / "fd" / "3").symlink_to(holds)


def checked(pc: Pc) -> dict[str, Check]:
    return {check.name: check for check in checks(pc, virtual=False)}


def test_every_check_that_fails_says_what_to_do() -> None:
    found = list(checks(virtual=True))
    names = {check.name for check in found}
    assert names >= {"pyocd", "esptool", "pyserial", "qemu-system-arm", "udev rules", "brltty"}
    assert len(names) == len(found)
    assert all(check.fix for check in found if not check.good)


def test_json_is_one_object_a_line() -> None:
    out = io.StringIO()
    report(out, as_json=True, virtual=False)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["name"] for line in lines] == [check.name for check in checks(virtual=False)]


def test_a_missing_qemu_fails_only_where_virtual_boards_are_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    wanted, unwanted = io.StringIO(), io.StringIO()
    assert report(wanted, as_json=False, virtual=True) == 1
    report(unwanted, as_json=False, virtual=False)
    assert "MISSING qemu-system-arm" in wanted.getvalue()
    assert "apt install qemu-system-arm" in wanted.getvalue()
    assert "note    qemu-system-arm" in unwanted.getvalue()


@pytest.mark.parametrize(("machines", "good"), [("esp32c3  Espressif", True), ("virt", False)])
def test_espressifs_qemu_is_told_from_the_stock_one_by_its_machines(
    tree: TreeWriter, monkeypatch: pytest.MonkeyPatch, machines: str, good: bool
) -> None:
    program = tree.sysfs.parent / "bin" / "qemu-system-riscv32"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{machines}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    check = checked(a_pc(tree))["qemu-system-riscv32 (Espressif)"]
    assert check.good == good
    assert str(program) in check.message


def test_ports_and_probes_that_may_not_be_used_are_named_with_the_fix(
    tree: TreeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.plug("nucleo-v2-1")
    good = checked(a_pc(tree))
    assert good["serial ports"].message.endswith("ttyACM3")
    assert good["debug probes"].message == "usable: ST-Link/V2-1 in socket 1-4"
    monkeypatch.setattr("os.access", lambda *_args, **_more: False)
    bad = checked(a_pc(tree))
    for name, fix in (("serial ports", "dialout"), ("debug probes", "--udev-rules")):
        assert not bad[name].good
        assert bad[name].needed
        assert fix in bad[name].fix


def test_root_needs_neither_groups_nor_rules(tree: TreeWriter) -> None:
    found = checked(a_pc(tree, user=0))
    assert found["group dialout"].good
    assert found["udev rules"].good
    assert not checked(a_pc(tree))["udev rules"].good


def test_the_offered_rules_end_the_complaint_about_rules(tree: TreeWriter) -> None:
    pc = a_pc(tree)
    process(pc, 900, "ModemManager")
    before = checked(pc)
    assert "ST-Link/V2-1" in before["udev rules"].message
    assert not before["ModemManager"].good
    assert "--udev-rules" in before["ModemManager"].fix
    (pc.rules[0] / FILE).write_text(udev_rules())
    after = checked(pc)
    assert after["udev rules"].good
    assert after["ModemManager"].good
    assert FILE in after["ModemManager"].message


def test_the_rules_name_every_device_of_the_table() -> None:
    text = udev_rules()
    for row in usb_table().rows:
        assert covered(row, [text]), row.row_id
    rules = [line for line in text.splitlines() if line.startswith("SUBSYSTEM==")]
    assert all("ID_MM_DEVICE_IGNORE" in line or "MODE=" in line for line in rules)
    assert 'ATTRS{product}=="*CMSIS-DAP*"' in text
    assert 'ATTRS{idVendor}=="1366", ATTRS{idProduct}=="????"' in text


def test_rules_of_others_count(tree: TreeWriter) -> None:
    pc = a_pc(tree)
    lines = ['# ATTRS{idProduct}=="374b"']
    lines += [
        f'ATTRS{{idVendor}}=="{ids.vendor_id:04x}", ATTRS{{idProduct}}=="{ids.first_product:04x}"'
        for row in usb_table().rows
        for ids in row.ids
    ]
    (pc.rules[0] / "60-openocd.rules").write_text("\n".join(lines))
    assert "CMSIS-DAP probe" in checked(pc)["udev rules"].message
    with (pc.rules[0] / "60-openocd.rules").open("a") as rules:
        rules.write('\nATTRS{product}=="*CMSIS-DAP*", MODE="660"\n')
    assert checked(pc)["udev rules"].good


def test_who_holds_a_boards_port_is_named(tree: TreeWriter) -> None:
    tree.plug("devkitc-cp2102n")
    pc = a_pc(tree)
    assert checked(pc)["port holders"].good
    process(pc, 4711, "minicom", holds=tree.dev / "ttyUSB0")
    check = checked(pc)["port holders"]
    assert not check.good
    assert "ttyUSB0 by minicom (process 4711)" in check.message


def test_brltty_that_takes_serial_adapters_is_named(tree: TreeWriter) -> None:
    pc = a_pc(tree)
    assert checked(pc)["brltty"].good
    rules = pc.rules[0] / "85-brltty.rules"
    rules.write_text('# ENV{PRODUCT}=="10c4/ea60/*"\nENV{PRODUCT}=="403/dead/*"\n')
    assert checked(pc)["brltty"].good
    rules.write_text('ENV{PRODUCT}=="403/6001/*", ATTRS{manufacturer}=="FTDI"\n')
    assert "85-brltty.rules" in checked(pc)["brltty"].message
    rules.unlink()
    process(pc, 12, "brltty")
    assert not checked(pc)["brltty"].good


def test_a_board_that_power_saving_may_put_to_sleep_is_named(tree: TreeWriter) -> None:
    tree.plug("nucleo-v2-1")
    power = tree.sysfs / "bus/usb/devices/1-4/power"
    power.mkdir()
    (power / "control").write_text("on\n")
    assert checked(a_pc(tree))["USB power saving"].good
    (power / "control").write_text("auto\n")
    check = checked(a_pc(tree))["USB power saving"]
    assert "ST-Link/V2-1 in socket 1-4" in check.message
    assert "power/control" in check.fix


def test_a_pc_without_usb_says_so(tree: TreeWriter) -> None:
    pc = a_pc(tree)
    bare = Pc(usb=UsbTree(sysfs=tree.dev, dev=tree.dev), proc=pc.proc, rules=pc.rules, user=1000)
    assert checked(pc)["USB"].good
    assert "no USB" in checked(bare)["USB"].message


def test_a_full_bench_is_checked(tree: TreeWriter) -> None:
    for name in ALL:
        tree.plug(name)
    assert all(check.message for check in checks(a_pc(tree), virtual=False))


def test_the_rules_are_printed_by_the_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchagent", "doctor", "--udev-rules"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout == udev_rules()
