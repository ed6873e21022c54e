"""What degrees are where a prompt names a scale."""

import pytest

from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest, Refusal
from controlplane.domain.design import Design


def plan(prompt: str) -> Design | Refusal:
    return OfflineDesigner().plan(DesignRequest(prompt=prompt))


def test_degrees_of_another_output_are_in_the_scale_that_was_named() -> None:
    found = plan("Turn the fan on above 86 F and switch a heater on below 59 degrees.")

    assert isinstance(found, Design)
    heater = next(b for b in found.behaviours if b.id == "threshold_heater")
    assert (heater.word("on_value"), heater.word("off_value")) == ("15", "15")
    assert any(a.text == "59 F is 15 C." for a in found.assumptions)


@pytest.mark.parametrize("other", ["20 C", "300 K"])
def test_degrees_are_asked_about_where_two_scales_were_named(other: str) -> None:
    found = plan(
        f"Turn the fan on above 86 F. Heater on below {other}. Lamp on above 20 degrees.",
    )

    assert isinstance(found, Refusal)
    assert ("E204", "degrees") in {(f.code, f.subject) for f in found.findings}


def test_degrees_alone_are_celsius() -> None:
    found = plan("Turn the fan on above 30 degrees with a hysteresis of 2 degrees.")

    assert isinstance(found, Design)
    assert found.behaviours[0].word("off_value") == "28"
