"""The folder of a stack: what is copied, what is refused, and Terraform's own configuration."""

import json
from pathlib import Path

import pytest

from benchline.errors import CorruptError, InvalidRequestError, NotReadyError
from controlplane.provisioning.modules import (
    Module,
    declared_variables,
    digest,
    module_dir,
    module_files,
    shipped_module,
)
from controlplane.provisioning.settings import StateBackend
from controlplane.provisioning.workspace import (
    Providers,
    Workspace,
    cli_config,
    keep_state,
    mend_state,
    prepare,
    workspace_of,
)

MAIN = """\
variable "stack" {
  type = string
}

variable "devices" {
  type    = map(object({}))
  default = {}
}
"""


@pytest.fixture
def module(tmp_path: Path) -> Module:
    folder = tmp_path / "module"
    (folder / "inner").mkdir(parents=True)
    (folder / "tests").mkdir()
    (folder / "main.tf").write_text(MAIN)
    (folder / "inner" / "main.tf").write_text('variable "hidden" {\n  type = string\n}\n')
    (folder / "tests" / "plan.tf").write_text("")
    (folder / "README.md").write_text("")
    return Module(name="test", path=folder)


def ready(place: Path, module: Module, variables: dict[str, object] | None) -> Workspace:
    workspace = Workspace(place / "stacks" / "demo")
    prepare(workspace, module, variables, StateBackend.LOCAL, Providers())
    return workspace


@pytest.mark.parametrize("name", ["", "-a", "a/b", "..", "A", "a" * 40, "a\n", "a_b"])
def test_a_name_that_is_no_name_reaches_no_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        workspace_of(tmp_path, name)

    assert caught.value.reason == "STACK_NAME_INVALID"


def test_a_module_is_its_hcl_and_nothing_else(module: Module) -> None:
    files = module_files(module.path)

    assert set(files) == {"main.tf", "inner/main.tf"}
    assert declared_variables(files) == {"stack": True, "devices": False}


def test_every_byte_and_name_of_a_module_counts(module: Module) -> None:
    files = module_files(module.path)
    changed = {**files, "main.tf": files["main.tf"] + b"#"}
    renamed = {"other.tf" if name == "main.tf" else name: data for name, data in files.items()}
    locked = {**files, ".terraform.lock.hcl": b"provider"}

    assert len({digest(files), digest(changed), digest(renamed)}) == 3
    assert digest(locked) == digest(files), "Terraform itself keeps that file"


def test_a_link_out_of_the_module_is_refused(module: Module) -> None:
    (module.path / "other.tf").symlink_to("/etc/hostname")

    with pytest.raises(CorruptError) as caught:
        module_files(module.path)

    assert caught.value.reason == "MODULE_UNSAFE"


@pytest.mark.parametrize("source", ["./inner", "../up", "registry/x/y", "git::https://a/b.git"])
def test_only_modules_of_the_module_itself_are_called(module: Module, source: str) -> None:
    (module.path / "call.tf").write_text(f'module "m" {{\n  source = "{source}"\n}}\n')

    if source == "./inner":
        assert "call.tf" in module_files(module.path)
    else:
        with pytest.raises(CorruptError):
            module_files(module.path)


def test_variables_are_checked_and_kept(tmp_path: Path, module: Module) -> None:
    workspace = ready(tmp_path, module, {"stack": "demo", "devices": {"dev-1": {}}})
    ready(tmp_path, module, None)

    assert json.loads(workspace.variables_file.read_bytes()) == {
        "stack": "demo",
        "devices": {"dev-1": {}},
    }
    with pytest.raises(InvalidRequestError, match="no variable 'port'; stack must be given"):
        ready(tmp_path, module, {"port": 1})
    with pytest.raises(InvalidRequestError, match="JSON"):
        ready(tmp_path, module, {"stack": float("nan")})
    with pytest.raises(InvalidRequestError, match="bytes"):
        ready(tmp_path, module, {"stack": "x" * (1 << 20)})


def test_a_backend_that_is_configured_later_moves_no_state(tmp_path: Path, module: Module) -> None:
    workspace = ready(tmp_path, module, {"stack": "demo"})

    backend = prepare(workspace, module, None, StateBackend.POSTGRES, Providers())

    assert backend is StateBackend.LOCAL
    assert '"local"' in (workspace.module_dir / "benchline_backend.tf").read_text()


def test_a_folder_of_another_module_is_not_touched(tmp_path: Path, module: Module) -> None:
    workspace = ready(tmp_path, module, {"stack": "demo"})
    other = Module(name="other", path=module.path)

    with pytest.raises(CorruptError):
        ready(tmp_path, other, {"stack": "demo"})
    (workspace.root / "module.json").write_text("{")
    with pytest.raises(CorruptError) as caught:
        ready(tmp_path, module, {"stack": "demo"})

    assert caught.value.reason == "MODULE_TAMPERED"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, module: Module) -> None:
    (tmp_path / "stacks").write_text("a file")

    with pytest.raises(NotReadyError) as caught:
        ready(tmp_path, module, {"stack": "demo"})

    assert caught.value.reason == "STACK_FOLDER_UNUSABLE"


def test_without_providers_nothing_can_be_installed() -> None:
    assert cli_config(Providers(cache=Path("/cache"))) == (
        "disable_checkpoint = true\nprovider_installation {\n}\n"
    )


def test_providers_come_from_one_place_only() -> None:
    aws = ("registry.terraform.io/hashicorp/aws",)

    direct = cli_config(Providers(addresses=aws, cache=Path("/cache")))
    mirrored = cli_config(Providers(addresses=aws, cache=Path("/cache"), mirror=Path("/mirror")))

    assert 'include = ["registry.terraform.io/hashicorp/aws"]' in direct
    assert 'plugin_cache_dir = "/cache"' in direct
    assert "filesystem_mirror" not in direct
    assert 'path    = "/mirror"' in mirrored
    assert "direct" not in mirrored


@pytest.mark.parametrize("path", ['/a"b', "/a${b}", "/a\\b", "/a\nb", "/a%{b}"])
def test_a_path_is_no_way_to_write_configuration(path: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        cli_config(Providers(addresses=("h/n/t",), mirror=Path(path)))

    assert caught.value.reason == "PATH_UNUSABLE"


def test_a_damaged_state_goes_back_to_the_one_before(tmp_path: Path, module: Module) -> None:
    workspace = ready(tmp_path, module, {"stack": "demo"})
    assert not mend_state(workspace)
    workspace.state_file.write_text('{"version": 4}')
    keep_state(workspace)
    assert not mend_state(workspace)

    workspace.state_file.write_text('{"version": 4, "resou')

    assert mend_state(workspace)
    assert workspace.state_file.read_text() == '{"version": 4}'
    assert workspace.state_file.with_name("unusable.tfstate").read_text().endswith("resou")


def test_a_damaged_first_state_is_put_aside(tmp_path: Path, module: Module) -> None:
    workspace = ready(tmp_path, module, {"stack": "demo"})
    keep_state(workspace)
    workspace.state_file.write_text("")

    assert mend_state(workspace)
    assert not workspace.state_file.exists()


def test_a_target_has_a_module_or_is_refused() -> None:
    assert (module_dir("local") / "main.tf").is_file()
    assert shipped_module("local").providers == ()
    for name in ("azure", "../local", ""):
        with pytest.raises(InvalidRequestError) as caught:
            shipped_module(name)
        assert caught.value.reason == "TARGET_UNKNOWN"


def test_shipped_modules_run_no_commands_and_have_one_contract() -> None:
    for main in sorted(module_dir("local").parent.glob("*/main.tf")):
        files = module_files(main.parent)
        text = b"\n".join(files.values()).decode()
        assert "provisioner" not in text, main
        assert {"stack", "devices"} <= set(declared_variables(files)), main
        for output in ("broker_endpoint", "ca_ref", "devices", "telemetry_sink"):
            assert f'output "{output}" {{' in text, main
