"""Between the protos of sluice.insurer.v1 and the domain: what is parsed, what is rendered."""

from __future__ import annotations

from sluice_server.api.insurer import requests as parse
from sluice_server.api.insurer import responses as render

__all__ = ["parse", "render"]
