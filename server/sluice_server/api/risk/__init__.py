"""The gRPC service RiskQuery: parse, call one use case, render."""

from __future__ import annotations

from sluice_server.api.risk.service import RiskQueryServicer

__all__ = ["RiskQueryServicer"]
