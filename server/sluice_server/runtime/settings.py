"""What can be set: one frozen class. Nothing else in the server reads the environment or a configuration file."""

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, FilePath, HttpUrl, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sluice_server.runtime.limit_settings import LimitSettings

PREFIX = "SLUICE_"
CONFIG_FILE_KEY = "SLUICE_CONFIG"
"""The environment variable that names the configuration file."""
OTHERS_KEYS = ("SLUICE_ADDRESS", "SLUICE_ACTOR", "SLUICE_FLINK_", "SLUICE_TEST_", "SLUICE_FREMTPL2")
"""Beginnings of what the commands that call a server, the Flink runner and the tests read: no settings of the server,
and no mistake in its environment."""


class SettingsError(Exception):
    """The server cannot start with these settings. The text names every wrong one, and is meant for a person."""


def address_taken(address: str, setting: str) -> SettingsError:
    """Of a listening address that the system does not give. ``setting``: the variable that names another."""
    return SettingsError(
        f"cannot listen on {address}: is another server running there? {setting}=HOST:PORT sets another address"
    )


class Settings(LimitSettings, BaseSettings):
    """Every field can be given as ``SLUICE_NAME`` in the environment or as ``name`` in a TOML or YAML file; the
    environment wins. An unknown name fails the start."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,  # URLs may hold passwords
    )

    listen: str = "127.0.0.1:7350"
    """Host and port of the gRPC server. Port 0 takes a free one. Ports above 32767 may collide with those that the
    system gives to outgoing connections."""
    insecure_listen_without_tls: bool = False
    """Listen in plain text on an address that others can reach. Only behind something that encrypts and authenticates:
    whoever reaches the port may cut an insurer's traffic."""
    tls_cert: FilePath | None = None
    """PEM file of the server's certificate chain. With ``tls_key`` it turns TLS on."""
    tls_key: FilePath | None = None
    """PEM file of the certificate's private key."""
    tls_client_ca: FilePath | None = None
    """PEM file of the authorities whose client certificates are accepted. Clients must then show one; its common name
    is the actor, verified."""
    roles_file: FilePath | None = None
    """YAML file with the roles of verified actors: a map from common name to a list of reader, seller, operator,
    approver, analyst. Actors that it lacks are readers. Without it verified actors have all roles."""

    store_url: str = Field(default="sqlite+aiosqlite:///var/sluice.db", repr=False)
    """SQLAlchemy URL of the store: ``sqlite+aiosqlite:///PATH`` or ``postgresql+asyncpg://USER@HOST/DATABASE``."""
    commit_gap_seconds: Annotated[float, Field(ge=0, le=1)] = 0.004
    """From the beginning of one shared commit of orders to the next at least. Under load more lets more calls share a
    commit, hence more of them a second; less answers the single call earlier. A call after a pause waits for none."""
    risk_store_url: str = Field(default="sqlite+aiosqlite:///var/risk.db", repr=False)
    """SQLAlchemy URL of the risk query store, which the Flink loader fills."""
    risk_memory_mib: Annotated[int, Field(ge=0)] = 256
    """MiB for result tables of the active data version that are held in memory, about 90 for a million rows; 0: none,
    every question goes to the database."""
    export_dir: Path = Path("var/export")
    """Directory where orders and submissions are written for Flink, as ``orders/dt=YYYY-MM-DD/*.jsonl`` and
    ``submissions/dt=YYYY-MM-DD/*.jsonl``."""
    export_kafka_bootstrap: str | None = None
    """``HOST:PORT`` of Kafka brokers, separated by commas, to which orders and submissions are exported too; None: to
    files alone. Takes the extra ``kafka``."""
    export_kafka_orders_topic: str = "sluice.orders"
    """Topic of the orders. Its partitions are made by whoever runs the brokers."""
    export_kafka_submissions_topic: str = "sluice.submissions"
    """Topic of the submissions."""
    export_kafka_properties: FilePath | None = None
    """File of further settings of the Kafka client (librdkafka's names, a line ``name=value`` each): TLS, SASL."""
    insurers_file: FilePath | None = None
    """YAML file that configures the adapters to the insurers' interfaces. Without it no order can be submitted."""
    semantic_model: FilePath | None = None
    """YAML file of the risk query's semantic model; None takes the one in the package."""

    max_in_flight: Annotated[int, Field(ge=1)] = 2000
    """Unary calls served at once; more are refused with RESOURCE_EXHAUSTED. Control calls are never refused."""
    max_streams: Annotated[int, Field(ge=1)] = 1000
    """Streams open at once; more are refused."""
    drain_seconds: Annotated[float, Field(ge=0, le=3600)] = 20.0
    """How long a stopping server waits for the calls in flight. Then they are cancelled."""
    breaker_tick_seconds: Annotated[float, Field(gt=0, le=60)] = 0.5
    """How often the evidence is evaluated and the breakers' state of other replicas is read."""

    breaker_state_lasts_seconds: Annotated[float, Field(ge=2, le=3600)] = 30.0
    """How long a server that cannot read the breakers any more goes on routing by the last state that it knows. Then it
    refuses with UNAVAILABLE and its health is NOT_SERVING, until it can read them again."""

    order_longest_call_seconds: Annotated[float, Field(ge=0.5, le=600)] = 30.0
    """A call to an insurer lasts at most this long, whatever the caller's deadline; an order whose process died in a
    call is taken up again when this is over."""
    order_quiet_seconds: Annotated[float, Field(ge=0, le=3600)] = 10.0
    """An insurer that knows nothing of a submission is believed only this long after the call was given up, because the
    request may still be on its way. Less than the network may hold a request back means insuring somebody twice."""

    callback_listen: str | None = None
    """Host and port where insurers tell by HTTP what they have decided later (``/v1/callbacks/INSURER``), with TLS
    where ``tls_cert`` is set; None: no callbacks are taken. The insurers prove themselves by their signatures."""

    otlp_endpoint: HttpUrl | None = None
    """Base URL of an OTLP/HTTP collector, e.g. ``http://127.0.0.1:4318``; None turns tracing off."""
    trace_sample_ratio: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Share of the calls that are traced, of those whose caller has not decided."""
    metrics_listen: str | None = "127.0.0.1:7351"
    """Host and port of the Prometheus metrics, plain HTTP; ``off`` turns them off."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity that is logged. ``debug`` has a line for every call."""

    alarm_webhook_url: HttpUrl | None = None
    """Where alarms are posted as signed JSON."""
    alarm_webhook_secret_file: FilePath | None = None
    """File with the secret that the webhook's posts are signed with (HMAC-SHA256)."""
    alarm_webhook_template: FilePath | None = None
    """JSON file that says what is posted to the webhook instead of Sluice's own form: chat robots have theirs
    (docs/alarms.md)."""
    alarm_posts_per_minute: Annotated[int, Field(ge=1, le=6000)] = 30
    """So many posts of news an alarm platform gets at most within a minute; what comes beyond waits and goes out
    together."""
    alertmanager_url: HttpUrl | None = None
    """Base URL of an Alertmanager, whose v2 API gets the alarms."""

    llm_url: HttpUrl | None = None
    """Base URL of an OpenAI-compatible interface, up to and without ``/chat/completions``. It proposes risk groups from
    sums of the discovery half; it never sees a customer, a device or the data that judge. None: no model is asked."""
    llm_model: str = ""
    """The model to ask for; needed with ``llm_url``."""
    llm_api_key_file: FilePath | None = None
    """File with the key that ``llm_url`` wants; None: none is sent."""
    llm_timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """One attempt lasts at most this long."""
    llm_attempts: Annotated[int, Field(ge=1, le=10)] = 3
    """Attempts where a repeat can help: no connection, time-out, HTTP 429 and 5xx."""
    llm_token_budget: Annotated[int, Field(ge=3_000)] = 20_000
    """Tokens that one search for risk groups may spend, question and answer."""
    risk_group_seed: Annotated[int, Field(ge=0)] = 1
    """Deals the rating cells to the half that suggests risk groups and the half that judges them. Another seed deals
    anew: groups that were suggested before may then be judged by what suggested them."""

    @property
    def tls(self) -> bool:
        """Whether the gRPC server speaks TLS."""
        return self.tls_cert is not None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # load_settings puts the sources together, so that it can say where a wrong value came from, and so that a test
        # gets what it gives and nothing of its surroundings.
        return (init_settings,)

    @field_validator("metrics_listen", mode="before")
    @classmethod
    def _off(cls, value: Any) -> Any:
        return None if value == "off" else value

    @field_validator("listen", "metrics_listen", "callback_listen")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        host, colon, port = value.rpartition(":")
        if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise ValueError("must be HOST:PORT with a port from 0 to 65535, e.g. 127.0.0.1:7350 or [::1]:7350")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = []
        if not is_loopback(self.listen) and not self.tls and not self.insecure_listen_without_tls:
            problems.append(
                f"listen: {self.listen} can be reached from other machines, and TLS is not configured; set tls_cert "
                "and tls_key, or listen on 127.0.0.1, or set insecure_listen_without_tls=true where something in "
                "front of the server encrypts"
            )
        callbacks = self.callback_listen
        if callbacks and not is_loopback(callbacks) and not self.tls and not self.insecure_listen_without_tls:
            problems.append(
                f"callback_listen: {callbacks} can be reached from other machines, and TLS is not configured; set "
                "tls_cert and tls_key, or listen on 127.0.0.1 behind something that encrypts"
            )
        if callbacks and self.insurers_file is None:
            problems.append("callback_listen: needs insurers_file, which says how callbacks are signed")
        if (self.tls_cert is None) != (self.tls_key is None):
            problems.append("tls_cert, tls_key: give both or none")
        if self.tls_client_ca is not None and not self.tls:
            problems.append("tls_client_ca: needs tls_cert and tls_key")
        if self.roles_file is not None and self.tls_client_ca is None:
            problems.append("roles_file: needs tls_client_ca; roles are only given to verified actors")
        if self.alarm_webhook_url is not None and self.alarm_webhook_secret_file is None:
            problems.append("alarm_webhook_secret_file: needed with alarm_webhook_url; its posts are signed")
        if self.alarm_webhook_template is not None and self.alarm_webhook_url is None:
            problems.append("alarm_webhook_template: needs alarm_webhook_url")
        if (self.llm_url is None) != (not self.llm_model):
            problems.append("llm_url, llm_model: give both or none")
        if problems:
            raise ValueError("\n".join(problems))
        return self


def load_settings(
    config_file: Path | None = None, *, environ: Mapping[str, str] | None = None, **overrides: Any
) -> Settings:
    """Reads the settings: ``overrides`` (the command line) before the environment before the file before the defaults.

    ``config_file`` defaults to the one named by SLUICE_CONFIG, if any; ``environ`` to the process's environment.

    Raises SettingsError with a line for everything that is wrong: unknown names, missing files, values.
    """
    environment = {key.upper(): value for key, value in (os.environ if environ is None else environ).items()}
    named = environment.get(CONFIG_FILE_KEY)
    if config_file is None and named:
        config_file = Path(named)
    known = Settings.model_fields.keys()
    from_environment = {
        key.removeprefix(PREFIX).lower(): value
        for key, value in environment.items()
        if key.startswith(PREFIX) and key != CONFIG_FILE_KEY and not key.startswith(OTHERS_KEYS) and value != ""
    }
    problems = [
        f"{PREFIX}{name.upper()}: no such setting{_did_you_mean(name)}" for name in from_environment.keys() - known
    ]
    from_file = {} if config_file is None else _read(config_file)
    problems += [f"{config_file}: {name}: no such setting{_did_you_mean(name)}" for name in from_file.keys() - known]
    problems += [f"{name}: no such setting{_did_you_mean(name)}" for name in overrides.keys() - known]
    values = {**from_file, **from_environment, **overrides}
    try:
        settings = Settings(**{name: value for name, value in values.items() if name in known})
    except ValidationError as invalid:
        for error in invalid.errors(include_url=False, include_input=False):
            name = ".".join(str(part) for part in error["loc"])
            source = ""
            if name in from_environment and name not in overrides:
                source = f" (from {PREFIX}{name.upper()})"
            elif name in from_file and name not in overrides:
                source = f" (from {config_file})"
            text = error["msg"].removeprefix("Value error, ")
            problems.append(f"{name}{source}: {text}" if name else text)
        raise SettingsError(_text(problems)) from None
    if problems:
        raise SettingsError(_text(problems))
    return settings


def is_loopback(address: str) -> bool:
    """Whether HOST:PORT can be reached from this machine alone."""
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(_text([f"{path}: cannot be read: {error}"])) from error
    try:
        if path.suffix == ".toml":
            return tomllib.loads(text)
        if path.suffix in {".yaml", ".yml"}:
            loaded = YAML(typ="safe").load(text)
            if loaded is None:
                return {}
            if not isinstance(loaded, dict):
                raise SettingsError(_text([f"{path}: must be a map of settings"]))
            return {str(key): value for key, value in loaded.items()}
    except (tomllib.TOMLDecodeError, YAMLError) as error:
        raise SettingsError(_text([f"{path}: {error}"])) from error
    raise SettingsError(_text([f"{path}: must end in .toml, .yaml or .yml"]))


def _did_you_mean(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, Settings.model_fields, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _text(problems: list[str]) -> str:
    return "the settings are wrong:\n" + "\n".join(f"  {line}" for p in sorted(problems) for line in p.splitlines())
