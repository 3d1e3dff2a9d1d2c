"""What a claim costs at each repair shop: as it is, and beside what the same parts cost at all shops."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.risk.data_version import DataStamp
from sluice_server.domain.risk.experience import read_sums
from sluice_server.domain.risk.ports import RiskReader
from sluice_server.domain.risk.ratings.grades import Experience, Rating, RatingBasis, beside_mix, rate
from sluice_server.domain.risk.semantic.semantic_model import SemanticModel
from sluice_server.domain.risk.variation import AmountVariation

REPAIR_SHOP = "repair_shop"
_MEASURES = ("shop_claims", "shop_denied", "shop_incurred", "shop_expected_incurred")
_ONE = 1_000_000
"""An ordinary claim, where amounts are relative to their expectation."""
_LEAST_VARIATION = 0.01


@dataclass(frozen=True, slots=True)
class RepairCosts:
    """The shops twice, in the same order, with the squared coefficient of variation of one claim's amount."""

    plain: list[Experience]
    """Beside what so many claims cost on average, whatever was repaired."""
    plain_variation: float
    by_part: list[Experience]
    """Beside what the same parts cost on average; in millionths of the expectation."""
    part_variation: float


def rate_repair_shops(costs: RepairCosts, level: float) -> list[Rating]:
    """Ratings by cost over its expectation, with what is left beside the same parts as ``mix``; the worst first.

    How many claims a shop gets is not its doing, so their number is taken for known: the variance of the sum of n
    amounts is n cv² then, and not the n (1 + cv²) of a Poisson number of them, which `rate` starts from.
    """
    plain = rate(costs.plain, RatingBasis.LOSS_RATIO, costs.plain_variation - 1, level)
    by_part = rate(costs.by_part, RatingBasis.LOSS_RATIO, costs.part_variation - 1, level)
    return beside_mix(plain, by_part, {}) if by_part else plain


async def read_repair_costs(
    model: SemanticModel, reader: RiskReader, variation: AmountVariation, stamp: DataStamp
) -> RepairCosts:
    """Over all months. Claims that were denied cost nothing and are not counted.

    Raises DataVersionNotFound, Unavailable.
    """
    sums = await read_sums(model, reader, ("repair_shop", "part"), _MEASURES, stamp.data_version)
    rule = model.metrics["shop_cost_ratio"].interval
    relative = await variation.of(sums.table, rule, stamp.data_version) if rule is not None else 0.0
    relative = max(relative, _LEAST_VARIATION)
    paid: dict[str, int] = defaultdict(int)
    incurred: dict[str, int] = defaultdict(int)
    expected: dict[str, int] = defaultdict(int)
    squares = 0.0
    for group in sums.groups:
        shop, claims = group.keys["repair_shop"], int(group.sums["shop_claims"] - group.sums["shop_denied"])
        paid[shop] += claims
        incurred[shop] += int(group.sums["shop_incurred"])
        expected[shop] += int(group.sums["shop_expected_incurred"])
        if claims > 0:
            # The claims of a part vary around its mean, and the means of the parts among themselves.
            squares += float(group.sums["shop_expected_incurred"]) ** 2 / claims * (1 + relative)
    number = sum(paid.values())
    mean = sum(expected.values()) / number if number else 0.0
    plain = [
        Experience(shop, 0.0, claims, incurred[shop], round(claims * mean)) for shop, claims in sorted(paid.items())
    ]
    by_part = [
        Experience(shop, 0.0, claims, _relative(claims, incurred[shop], expected[shop]), claims * _ONE)
        for shop, claims in sorted(paid.items())
    ]
    total = squares / number / mean**2 - 1 if mean > 0 else relative
    return RepairCosts(plain, max(total, relative), by_part, relative)


def _relative(claims: int, incurred: int, expected: int) -> int:
    return round(claims * _ONE * incurred / expected) if expected > 0 else 0


def check_basis(entity: str, basis: RatingBasis) -> None:
    """Raises InvalidInput where a repair shop is to be rated by frequency: it has no policy-years."""
    if entity == REPAIR_SHOP and basis is not RatingBasis.LOSS_RATIO:
        text = "a repair shop has no policy-years: it is rated by cost, with RATING_BASIS_LOSS_RATIO"
        raise InvalidInput([Violation("basis", text)])
