"""Settings are read once, and every mistake in them is told at once."""

from pathlib import Path

import pytest

from benchline.errors import InvalidRequestError
from controlplane.config import load_config


def test_defaults_need_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHLINE_DATA_DIR", str(tmp_path))

    config = load_config({})

    assert config.instance.data_dir == tmp_path
    assert config.compile_slots == 2


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHLINE_DATA_DIR", str(tmp_path))
    (tmp_path / "benchline.toml").write_text("compile_slots = 3\nsimulate_slots = 4\n")

    config = load_config({"BENCHLINE_COMPILE_SLOTS": "5"})

    assert (config.compile_slots, config.simulate_slots) == (5, 4)


def test_the_limits_of_live_simulations_are_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHLINE_DATA_DIR", str(tmp_path))
    (tmp_path / "benchline.toml").write_text("live_simulations = 1\nlive_idle_s = 60\n")

    live = load_config({"BENCHLINE_LIVE_CONSOLE_BYTES": "4096"}).live

    assert (live.simulations, live.idle.total_seconds(), live.console_bytes) == (1, 60, 4096)
    assert live.time.total_seconds() == 8 * 3600
    with pytest.raises(InvalidRequestError, match="live_simulations"):
        load_config({"BENCHLINE_LIVE_SIMULATIONS": "0"})


def test_all_mistakes_are_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHLINE_DATA_DIR", str(tmp_path))
    (tmp_path / "benchline.toml").write_text("compiler_slots = 3\nsimulate_slots = 'many'\n")

    with pytest.raises(InvalidRequestError) as caught:
        load_config({"BENCHLINE_BOARD_WAIT_S": "-1"})

    for word in ("compiler_slots", "simulate_slots", "board_wait_s"):
        assert word in str(caught.value)


def test_a_file_that_is_no_toml_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHLINE_DATA_DIR", str(tmp_path))
    (tmp_path / "benchline.toml").write_text("compile_slots: 3")

    with pytest.raises(InvalidRequestError, match=r"benchline\.toml"):
        load_config({})


def test_wokwis_own_variables_are_understood_and_the_token_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHLINE_DATA_DIR", str(tmp_path))
    (tmp_path / "benchline.toml").write_text("wokwi_token = 'from file'\nsimulator = 'wokwi'\n")

    config = load_config({"WOKWI_CLI_TOKEN": "secret-1", "WOKWI_CLI_SERVER": "wss://example.org"})

    assert (config.wokwi_token, config.wokwi_server) == ("secret-1", "wss://example.org")
    assert config.simulator == "wokwi"
    assert "secret-1" not in repr(config)


def test_a_token_of_a_wrong_kind_is_told_without_its_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHLINE_DATA_DIR", str(tmp_path))
    (tmp_path / "benchline.toml").write_text("wokwi_token = 42424242\n")

    with pytest.raises(InvalidRequestError, match="wokwi_token must be a text") as caught:
        load_config({})

    assert "42424242" not in str(caught.value)


def test_claude_is_configured_by_a_table_a_file_and_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHLINE_DATA_DIR", str(tmp_path))
    key = tmp_path / "key"
    key.write_text("sk-ant-0123456789\n")
    key.chmod(0o600)
    (tmp_path / "benchline.toml").write_text(
        '[claude]\napi_key_file = "key"\nmodel = "claude-sonnet-5-5"\nsession_ceiling_usd = 0.5\n'
        "month_ceiling_usd = 0\n"
    )

    claude = load_config({"BENCHLINE_CLAUDE_EFFORT": "low", "ANTHROPIC_API_KEY": "other"}).claude

    assert claude.api_key.reveal() == "sk-ant-0123456789"
    assert (claude.model, claude.effort) == ("claude-sonnet-5-5", "low")
    assert (claude.session_ceiling_micro_usd, claude.month_ceiling_micro_usd) == (500_000, 0)
    assert "0123456789" not in repr(load_config({}))


def test_claude_needs_no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHLINE_DATA_DIR", str(tmp_path))

    assert not load_config({}).claude.configured
    assert load_config({"ANTHROPIC_API_KEY": "sk-ant-0123456789"}).claude.configured


def test_all_mistakes_about_claude_are_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHLINE_DATA_DIR", str(tmp_path))
    (tmp_path / "open-key").write_text("sk-ant-0123456789")
    (tmp_path / "open-key").chmod(0o644)
    (tmp_path / "benchline.toml").write_text(
        '[claude]\napi_key = "x"\napi_key_file = "open-key"\nbase_url = "http://example.org"\n'
        'effort = "mad"\nmax_tokens = 1\nprice_input = 3\nwhatever = 1\n'
    )

    with pytest.raises(InvalidRequestError) as caught:
        load_config({})

    said = str(caught.value)
    for word in (
        "use api_key_file",
        "chmod 600",
        "base_url",
        "effort",
        "max_tokens",
        "belong together",
        "whatever",
    ):
        assert word in said
    assert "0123456789" not in said


def test_provisioning_is_a_table_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHLINE_DATA_DIR", str(tmp_path))
    terraform = tmp_path / "tofu"
    terraform.touch()
    server = tmp_path / "server"
    server.write_text("postgres://u:hunter2-hunter2@db/state\n")
    server.chmod(0o600)
    (tmp_path / "benchline.toml").write_text(
        "[provisioning]\nauto_approve = true\nstate_backend = 'pg'\n"
        "state_server_file = 'server'\nplan_expiry_s = 60\napply_timeout_s = 100\n"
    )

    settings = load_config(
        {
            "BENCHLINE_TERRAFORM_BIN": str(terraform),
            "BENCHLINE_PROVISIONING_APPLY_TIMEOUT_S": "200",
        }
    ).provisioning

    assert settings.terraform == terraform
    assert settings.auto_approve
    assert settings.state_backend == "pg"
    assert settings.state_server.reveal() == "postgres://u:hunter2-hunter2@db/state"
    assert (settings.plan_expiry_s, settings.apply_timeout_s) == (60, 200)
    assert "hunter2" not in repr(settings)


def test_mistakes_in_provisioning_are_all_told_and_no_secret_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHLINE_DATA_DIR", str(tmp_path))
    (tmp_path / "server").write_text("postgres://u:hunter2-hunter2@db/state")
    (tmp_path / "server").chmod(0o644)
    (tmp_path / "benchline.toml").write_text(
        "[provisioning]\nauto_approve = 'maybe'\nstate_backend = 's3'\ncolour = 1\n"
        "state_server_file = 'server'\ncancel_grace_s = 0\nprovider_mirror = '/nowhere/at/all'\n"
    )

    with pytest.raises(InvalidRequestError) as caught:
        load_config({"BENCHLINE_TERRAFORM_BIN": "/nowhere/terraform"})

    for word in (
        "auto_approve",
        "state_backend",
        "colour",
        "others can read",
        "cancel_grace_s",
        "provider_mirror",
        "BENCHLINE_TERRAFORM_BIN",
    ):
        assert word in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_the_backend_pg_needs_its_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHLINE_DATA_DIR", str(tmp_path))

    with pytest.raises(InvalidRequestError, match="state_server_file"):
        load_config({"BENCHLINE_PROVISIONING_STATE_BACKEND": "pg"})


def test_an_empty_variable_gives_nothing_in_any_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHLINE_DATA_DIR", str(tmp_path))
    (tmp_path / "benchline.toml").write_text(
        "compile_slots = 3\n[claude]\neffort = 'low'\n[provisioning]\nlock_timeout_s = 7\n"
    )

    config = load_config(
        {
            "BENCHLINE_COMPILE_SLOTS": "",
            "BENCHLINE_CLAUDE_EFFORT": "",
            "BENCHLINE_PROVISIONING_LOCK_TIMEOUT_S": "",
        }
    )

    assert (config.compile_slots, config.claude.effort) == (3, "low")
    assert config.provisioning.lock_timeout_s == 7
