"""What can be set, and what a wrong setting is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from sluice_server.api.routing.limits import RequestLimits
from sluice_server.domain.routing.source.limits import PlanLimits
from sluice_server.runtime.settings import Settings, SettingsError, load_settings


def test_defaults_need_nothing() -> None:
    settings = load_settings(environ={"PATH": "/bin"})
    assert (settings.listen, settings.metrics_listen) == ("127.0.0.1:7350", "127.0.0.1:7351")
    assert settings.otlp_endpoint is None


def test_every_field_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sluice.toml", 'listen = "127.0.0.1:1"\nmax_in_flight = 7\n'),
        ("sluice.yaml", "listen: 127.0.0.1:1\nmax_in_flight: 7\n"),
    ],
)
def test_the_command_line_wins_over_the_environment_over_the_file(tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / name
    file.write_text(text)
    environ = {"SLUICE_CONFIG": str(file), "SLUICE_LISTEN": "127.0.0.1:2", "SLUICE_LOG_LEVEL": "debug"}
    settings = load_settings(environ=environ, log_level="error")
    assert (settings.max_in_flight, settings.listen, settings.log_level) == (7, "127.0.0.1:2", "error")


def test_every_unknown_name_is_refused_with_the_nearest_known_one(tmp_path: Path) -> None:
    file = tmp_path / "sluice.toml"
    file.write_text("drain_second = 1\n")
    with pytest.raises(SettingsError) as caught:
        load_settings(file, environ={"SLUICE_LISEN": "x", "SLUICE_STORE_URI": "y"})
    text = str(caught.value)
    assert "SLUICE_LISEN: no such setting; did you mean listen?" in text
    assert "SLUICE_STORE_URI: no such setting; did you mean store_url?" in text
    assert f"{file}: drain_second: no such setting; did you mean drain_seconds?" in text


def test_every_wrong_value_is_named_with_where_it_came_from() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ={"SLUICE_MAX_IN_FLIGHT": "0", "SLUICE_LISTEN": "nowhere", "SLUICE_OTLP_ENDPOINT": "x"})
    text = str(caught.value)
    assert "max_in_flight (from SLUICE_MAX_IN_FLIGHT)" in text
    assert "listen (from SLUICE_LISTEN): must be HOST:PORT" in text
    assert "otlp_endpoint (from SLUICE_OTLP_ENDPOINT)" in text


@pytest.mark.parametrize("name", ["sluice.toml", "sluice.ini"])
def test_a_missing_or_unreadable_file_is_refused(tmp_path: Path, name: str) -> None:
    if name == "sluice.ini":
        (tmp_path / name).write_text("listen=x")
    with pytest.raises(SettingsError, match=name):
        load_settings(tmp_path / name, environ={})


def test_a_missing_file_that_a_setting_names_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"insurers_file \(from SLUICE_INSURERS_FILE\)"):
        load_settings(environ={"SLUICE_INSURERS_FILE": str(tmp_path / "none.yaml")})


@pytest.mark.parametrize("listen", ["0.0.0.0:7350", "[::]:7350", "10.0.0.5:7350", "db.example:7350"])
def test_plain_text_on_a_reachable_address_needs_the_setting_that_says_so(listen: str) -> None:
    with pytest.raises(SettingsError, match="insecure_listen_without_tls"):
        load_settings(environ={}, listen=listen)
    assert load_settings(environ={}, listen=listen, insecure_listen_without_tls=True).listen == listen


@pytest.mark.parametrize("listen", ["127.0.0.1:7350", "localhost:0", "[::1]:7350", "127.8.8.8:1"])
def test_loopback_needs_nothing(listen: str) -> None:
    assert load_settings(environ={}, listen=listen).listen == listen


def test_tls_opens_other_addresses(tmp_path: Path) -> None:
    for name in ("cert", "key"):
        (tmp_path / name).write_text("pem")
    settings = load_settings(environ={}, listen="0.0.0.0:7350", tls_cert=tmp_path / "cert", tls_key=tmp_path / "key")
    assert settings.tls


@pytest.mark.parametrize("alone", ["tls_cert", "tls_key", "tls_client_ca", "roles_file"])
def test_half_a_tls_configuration_is_refused(tmp_path: Path, alone: str) -> None:
    (tmp_path / "file").write_text("pem")
    with pytest.raises(SettingsError, match="tls_c"):
        load_settings(environ={}, **{alone: tmp_path / "file"})


def test_settings_do_not_show_passwords_and_do_not_change() -> None:
    settings = load_settings(environ={"SLUICE_STORE_URL": "postgresql+asyncpg://sluice:hunter2@db/sluice"})
    assert "hunter2" not in repr(settings)
    with pytest.raises(ValidationError):
        settings.listen = "127.0.0.1:1"  # type: ignore[misc]  # that it cannot be set is what is tested


def test_a_wrong_value_is_not_quoted() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ={"SLUICE_ALARM_WEBHOOK_URL": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_every_limit_of_plans_and_requests_is_a_setting() -> None:
    settings = load_settings(environ={"SLUICE_PLAN_MAX_RULES": "7", "SLUICE_MAX_BATCH": "9"})
    assert settings.plan_limits == PlanLimits(max_rules=7)
    assert settings.request_limits == RequestLimits(max_batch=9)
    with pytest.raises(SettingsError, match=r"max_batch \(from SLUICE_MAX_BATCH\): Input should be .* 1000"):
        load_settings(environ={"SLUICE_MAX_BATCH": "1001"})
