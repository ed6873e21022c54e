"""Ten sentences become images for every board model that the bench core is made for."""

from pathlib import Path

import pytest

from controlplane.bench_core.manifest import PORTS
from controlplane.catalog.loader import load_catalogue
from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest
from controlplane.domain.design import Design
from controlplane.domain.verdict import Outcome, Severity
from controlplane.firmware.offline import OfflineAuthor
from controlplane.toolchains.bare_metal import BareMetalToolchain
from controlplane.toolchains.protocol import BuildRequest, BuildVariant

TEN = (Path(__file__).parents[2] / "e2e/ten_prompts.txt").read_text("utf-8").splitlines()
MODELS = sorted(model for port in PORTS.values() for model in port.variants)


@pytest.mark.parametrize("model", MODELS)
async def test_all_ten_are_built_without_a_warning(model: str, cache: Path, tmp_path: Path) -> None:
    toolchain = BareMetalToolchain(cache)
    board = load_catalogue().boards[model]
    part = load_catalogue().part_of(board)
    # Release images differ by what is left out, which is the same for every board of a family.
    variants = tuple(BuildVariant) if model == part.default_model else (BuildVariant.TEST,)
    for number, prompt in enumerate(TEN):
        design = OfflineDesigner().plan(DesignRequest(prompt=prompt, board=model))
        assert isinstance(design, Design), design
        project = OfflineAuthor().render(design)
        request = BuildRequest(
            name=project.name,
            sources=project.sources,
            board_model=model,
            design_hash=design.design_hash[:12],
            variants=variants,
        )
        result = await toolchain.build(request, tmp_path / str(number))

        assert result.outcome is Outcome.PASSED, f"{prompt}\n{result.message}"
        assert [d for d in result.diagnostics if d.severity is not Severity.NOTE] == []
        code = next(region for region in part.flash if region.name == "code")
        for variant in variants:
            last = max(s.address + s.size for s in result.images[variant].segments)
            assert last <= code.base + code.size
