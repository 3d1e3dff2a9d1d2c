"""Numbers, units and periods as people read them, in either language."""

from __future__ import annotations

from datetime import date

from sluice_server.domain.risk.charts.definition import Language
from sluice_server.domain.risk.semantic.semantic_model import Dimension, DimensionType

_UNITS = {
    "years": ("保单年", "policy-years"),
    "claims": ("件", "claims"),
    "orders": ("单", "orders"),
    "policies": ("张", "policies"),
    "customers": ("人", "customers"),
    "submissions": ("次", "submissions"),
    "1/year": ("每保单年", "per policy-year"),
}
_WITHOUT_MINOR_UNITS = frozenset({"JPY", "KRW", "VND", "CLP", "ISK"})
_PERCENT = frozenset({"ratio", "share", "change"})
_MISSING = "–"


def unit_text(unit: str, currency: str, language: Language) -> str:
    """The unit behind a label; empty for percentages, which show it themselves."""
    if unit == "minor":
        return currency
    if unit in _PERCENT:
        return ""
    zh, en = _UNITS.get(unit, (unit, unit))
    return zh if language is Language.ZH else en


def axis_format(unit: str, greatest: float = 0.0) -> str:
    """The d3 format of values up to ``greatest``."""
    if unit == "change":
        return "+.0%"
    if unit in _PERCENT:
        return ".3~p"
    if unit == "1/year":
        return ".3~f"
    return ",.6~r" if greatest < 100_000 else ".3~s"


def shown(value: float | None, unit: str, currency: str) -> float | None:
    """The value as it is drawn: amounts in whole units of the currency."""
    return value if value is None or unit != "minor" or currency in _WITHOUT_MINOR_UNITS else value / 100


def number_text(value: float | None, unit: str, currency: str) -> str:
    """The value as it is written in a table or beside a needle."""
    drawn = shown(value, unit, currency)
    if drawn is None:
        return _MISSING
    if unit == "change":
        return f"{drawn:+.1%}"
    if unit in _PERCENT:
        return f"{drawn:.2%}" if 0 < abs(drawn) < 0.1 else f"{drawn:.1%}"
    if unit == "1/year":
        return f"{drawn:.4f}"
    return f"{drawn:,.0f}" if abs(drawn) >= 100 or drawn == int(drawn) else f"{drawn:,.2f}"


def value_text(value: str, dimension: Dimension, language: Language) -> str:
    """A dimension's value: periods as one writes them."""
    if not value:
        return "（空）" if language is Language.ZH else "(empty)"
    if not dimension.is_time:
        return value
    start = date.fromisoformat(value)
    match dimension.type:
        case DimensionType.MONTH:
            return f"{start:%Y-%m}"
        case DimensionType.QUARTER:
            return f"{start.year} Q{(start.month + 2) // 3}"
        case DimensionType.YEAR:
            return str(start.year)
        case _:
            return value
