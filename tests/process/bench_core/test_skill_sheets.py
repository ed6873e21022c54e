"""What skill sheets say of the bench core is what its compilers say.

Code compiles without a warning on every family that its sheet is for; what is called absent does
not compile, for that very reason.
"""

import re
from pathlib import Path

import pytest

from controlplane.skills.loader import VENDOR_ARDUINO, load_sheets
from controlplane.skills.sheet import CodeBlock, Sheet
from controlplane.toolchains.sketch import SketchFile, preprocess
from tests.process.bench_core.rig import ESP32C3, STM32F405, CompileError, Target

FAMILIES = {"stm32f405rg": STM32F405, "esp32c3": ESP32C3}


def targets_of(sheet: Sheet) -> list[Target]:
    """The families to compile on: the sheet's own parts, or for a part without a core all."""
    own = [target for part, target in FAMILIES.items() if part in sheet.parts]
    return own or list(FAMILIES.values())


BLOCKS = [
    pytest.param(target, block, id=f"{sheet.id}-{block.line}-{target.name}")
    for sheet in load_sheets()
    for block in sheet.code_blocks
    if block.language == "cpp"
    for target in targets_of(sheet)
]


def compile_block(target: Target, block: CodeBlock, folder: Path) -> str:
    text = preprocess([SketchFile(name="main.ino", text=block.text)])
    source = folder / "sketch.cpp"
    source.write_text(text)
    return target.compile_one(source, folder / "sketch.o", core=False, test=True)


@pytest.mark.parametrize(("target", "block"), BLOCKS)
def test_a_block_compiles_or_fails_for_the_reason_it_gives(
    target: Target, block: CodeBlock, tmp_path: Path
) -> None:
    if not block.absent:
        assert compile_block(target, block, tmp_path) == ""
        return
    with pytest.raises(CompileError) as caught:
        compile_block(target, block, tmp_path)
    first = re.search(r"error: (.*)", str(caught.value))
    assert first is not None
    assert re.search(rf"\b{block.absent}\b", first[1]), first[0]


def test_every_family_and_framework_is_compiled() -> None:
    frameworks = {f for sheet in load_sheets() for f in sheet.frameworks}
    compiled = {target.name for param in BLOCKS for target in [param.values[0]]}

    assert VENDOR_ARDUINO in frameworks
    assert compiled == {target.name for target in FAMILIES.values()}
