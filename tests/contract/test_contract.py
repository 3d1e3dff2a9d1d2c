"""The contract against what is made from it and what is said about it elsewhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import ServiceDescriptorProto

from sluice.client import REPEATABLE
from sluice.client._methods import KEEPALIVE_SECONDS as CLIENT_KEEPALIVE_SECONDS
from sluice.type.v1.error_reason_pb2 import ErrorReason
from sluice_server.api.access import ACCESS
from sluice_server.domain import errors
from sluice_server.runtime.listeners import KEEPALIVE_SECONDS
from sluice_server.runtime.reflection import contract_descriptors

ROOT = Path(__file__).parents[2]


def services() -> dict[str, ServiceDescriptorProto]:
    return {
        f"{file.package}.{service.name}": service for file in contract_descriptors().file for service in file.service
    }


def test_generated_files_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools/generate.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rpc_has_its_line_in_the_access_table_and_nothing_else_has() -> None:
    contract = {f"{name}/{method.name}" for name, service in services().items() for method in service.method}
    assert set(ACCESS) == contract


def test_only_calls_with_one_answer_that_change_nothing_twice_are_repeated() -> None:
    repeated = {f"{service}/{method}" for service, methods in REPEATABLE.items() for method in methods}
    unary = {
        f"{name}/{method.name}"
        for name, service in services().items()
        for method in service.method
        if not method.client_streaming and not method.server_streaming
    }
    assert repeated <= unary
    assert {method for method in repeated if ACCESS[method].control} == set()


def test_every_control_call_has_a_reason_field() -> None:
    fields = {
        f".{file.package}.{message.name}": {field.name for field in message.field}
        for file in contract_descriptors().file
        for message in file.message_type
    }
    without = {
        f"{name}/{method.name}"
        for name, service in services().items()
        for method in service.method
        if ACCESS[f"{name}/{method.name}"].control and "reason" not in fields[method.input_type]
    }
    assert without == set()


def _concrete(kind: type[errors.SluiceError]) -> list[type[errors.SluiceError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in _concrete(child))]


@pytest.mark.parametrize("kind", _concrete(errors.SluiceError), ids=lambda kind: kind.__name__)
def test_every_domain_error_has_a_reason_of_the_contract(kind: type[errors.SluiceError]) -> None:
    assert f"ERROR_REASON_{kind.reason}" in set(ErrorReason.keys())


def test_server_and_client_agree_on_keepalive() -> None:
    # A server answers pings that it does not expect with GOAWAY.
    assert CLIENT_KEEPALIVE_SECONDS == KEEPALIVE_SECONDS
