"""What a model is fitted on: a file, or the rating cells of a data version."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sluice_server.cli.risk.tables import TableFile, day_of
from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.risk.data_version import DataStamp
from sluice_server.domain.risk.models.columns import Floats, Mask, ModelTable
from sluice_server.domain.risk.models.development import Development, given_development
from sluice_server.domain.risk.models.factors import FactorDefinition, parse_factor
from sluice_server.domain.risk.models.portfolio_table import PortfolioTable, read_portfolio


@dataclass(frozen=True, slots=True)
class FitInput:
    """The table with what is needed beside it. All columns have the table's rows."""

    table: ModelTable
    learn: Mask | None = None
    premium: Floats | None = None
    """Earned, in minor units."""
    policies: Floats | None = None
    """How many each row stands for; None: one."""
    data: DataStamp | None = None


@dataclass(frozen=True, slots=True)
class FileColumns:
    """Names of columns; empty where there is none."""

    claims: str
    exposure: str
    group: str = ""
    time: str = ""
    split: str = ""
    amount: str = ""
    premium: str = ""
    delays: Path | None = None
    as_of: str = ""


def read_file(file: Path, columns: FileColumns, factors: Sequence[str]) -> FitInput:
    """The input from a table on disk; ``factors`` as they are typed. Raises InvalidInput naming all that is wrong."""
    source = TableFile(file)
    found, violations = read_factors(factors)
    names = [one.name for one in found]
    for option in ("claims", "exposure"):
        if not getattr(columns, option):
            violations.append(Violation(option, "is needed with a file"))
    given = (columns.claims, columns.exposure, *names, columns.group, columns.time, columns.split, columns.amount)
    violations += source.missing([*given, columns.premium])
    if violations:
        raise InvalidInput(violations)
    table = ModelTable(
        claims=source.numbers(columns.claims),
        exposure=source.numbers(columns.exposure),
        factors={name: source.factor(name) for name in names},
        amount=source.numbers(columns.amount, empty=0.0) if columns.amount else None,
        group=source.codes(columns.group) if columns.group else None,
        time=source.days(columns.time) if columns.time else None,
    )
    learn = source.learn_mask(columns.split) if columns.split else None
    premium = source.numbers(columns.premium) if columns.premium else None
    source.check()
    if columns.delays is None:
        return FitInput(table, learn, premium)
    table, known = _developed(table, columns.delays, columns.as_of)
    return FitInput(table, None if learn is None else learn[known], None if premium is None else premium[known])


def read_data_version(risk_store: str, data_version: int | None, factors: Sequence[str]) -> FitInput:
    """The input from the rating cells of a data version (None: the active one), with the late claims' delays.

    Raises InvalidInput, DataVersionNotFound, Unavailable.
    """
    found, violations = read_factors(factors)
    if violations:
        raise InvalidInput(violations)
    portfolio = asyncio.run(_read(risk_store, [one.name for one in found], data_version))
    premium = portfolio.premium if portfolio.premium.sum() > 0 else None
    return FitInput(portfolio.table, None, premium, portfolio.policies, portfolio.stamp)


async def _read(risk_store: str, names: list[str], data_version: int | None) -> PortfolioTable:
    # Only here: the databases' drivers are not needed for files.
    from sluice_server.domain.risk.semantic.model_yaml import shipped_model
    from sluice_server.store.risk import RiskStoreReader

    reader = RiskStoreReader(risk_store, shipped_model())
    try:
        return await read_portfolio(reader, names, data_version)
    finally:
        await reader.close()


def read_factors(texts: Sequence[str]) -> tuple[tuple[FactorDefinition, ...], list[Violation]]:
    """The factors that can be read, and what is wrong with the others."""
    found: list[FactorDefinition] = []
    violations: list[Violation] = []
    for text in texts:
        try:
            found.append(parse_factor(text))
        except InvalidInput as wrong:
            violations += wrong.violations
    return tuple(found), violations


def _developed(table: ModelTable, delays: Path, as_of: str) -> tuple[ModelTable, Mask]:
    """The table with the share of each row's claims that can be known, without rows of which none can."""
    day = day_of(as_of)
    violations = []
    if table.time is None:
        violations.append(Violation("time", "is needed with --delays: the claims of a row occur at its time"))
    if day is None:
        violations.append(Violation("as-of", "is needed with --delays: a date such as 2026-03-01"))
    if violations or day is None or table.time is None:
        raise InvalidInput(violations)
    development = _delay_table(delays)
    share = development.reported_share(day - table.time)
    known = share > 0
    if not known.any():
        raise InvalidInput([Violation("as-of", "no claim of any row can be reported by then")])
    return replace(table, reported_share=share).take(known), known


def _delay_table(path: Path) -> Development:
    source = TableFile(path)
    source.need(["delay_days", "share"])
    days, shares = source.numbers("delay_days"), source.numbers("share")
    source.check()
    return given_development([float(day) for day in days], [float(share) for share in shares])
