"""Reads the risk query store, which the Flink loader fills: a database of its own, never written from here."""

from __future__ import annotations

from sluice_server.store.risk.column_reader import ColumnReader
from sluice_server.store.risk.reader import RiskStoreReader

__all__ = ["ColumnReader", "RiskStoreReader"]
