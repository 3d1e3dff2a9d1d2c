"""Synthetic portfolios: policies, claims, devices, channels and repair shops, with abnormal ones planted."""

from __future__ import annotations

from sluice_flink.generate.portfolio import Portfolio, generate_portfolio
from sluice_flink.generate.source_files import write_portfolio

__all__ = ["Portfolio", "generate_portfolio", "write_portfolio"]
