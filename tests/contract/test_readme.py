"""The README's table of calls is the contract's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from google.protobuf.descriptor import ServiceDescriptor

from sluice.insurer.v1 import insurer_control_pb2
from sluice.risk.v1 import risk_query_pb2
from sluice.routing.v1 import routing_pb2

README = Path(__file__).parents[2] / "README.md"
SERVICES = [
    routing_pb2.DESCRIPTOR.services_by_name["Routing"],
    insurer_control_pb2.DESCRIPTOR.services_by_name["InsurerControl"],
    risk_query_pb2.DESCRIPTOR.services_by_name["RiskQuery"],
]


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_the_readme_names_every_call_of_a_service_and_no_other(service: ServiceDescriptor) -> None:
    row = next(line for line in README.read_text().splitlines() if line.startswith(f"| `{service.full_name}` |"))
    named = re.findall(r"[A-Z][A-Za-z]+", row.split("|")[2])
    assert sorted(named) == sorted(method.name for method in service.methods)
