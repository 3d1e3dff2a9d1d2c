"""The client needs grpcio and protobuf, and nothing else."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import importlib.abc, sys

ALLOWED = {"sluice", "grpc", "google", "typing_extensions"}
before = set(sys.modules)

class OnlyAllowed(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top in ALLOWED and not name.startswith("google.rpc"):
            return None
        raise ModuleNotFoundError(f"the client may not need {name}", name=name)

sys.meta_path.insert(0, OnlyAllowed())
import sluice.client
from sluice.client.errors import error_of
from sluice.insurer.v1 import insurer_control_pb2
from sluice.risk.v1 import risk_query_pb2
from sluice.routing.v1 import routing_pb2

with sluice.client.Sluice("127.0.0.1:1", actor="a") as client:
    client.insurers.CutTraffic
from sluice.client._google_rpc import read_details
print(read_details(bytes.fromhex("0805")))
"""


def test_it_imports_and_works_with_grpcio_and_protobuf_alone() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Details(")
