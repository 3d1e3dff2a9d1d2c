"""Expressions mean the same, whether their fields are variables of their own or not."""

from __future__ import annotations

import cel
import pytest

from sluice_server.domain.routing.source.expressions import ContextBuilder, compile_expression
from sluice_server.domain.routing.source.limits import DEFAULT_LIMITS
from tests.unit.routing.builders import NOW, application

FACTORS: dict[str, str | int | float | bool] = {"band": "high", "grade": 3}
AS_A_TREE = {
    "application": {
        "product_code": "screen-24m",
        "term_months": 24,
        "device": {"brand": "Aurora", "price": {"amount_minor": 700_000}},
        "channel": {"tier": "gold"},
        "attributes": {"campaign": "spring"},
    },
    "factors": FACTORS,
    "now": NOW,
}


@pytest.mark.parametrize(
    ("expression", "flat"),
    [
        ("application.device.price.amount_minor >= 600000", {"application.device.price.amount_minor"}),
        ("application . device\n.brand.startsWith('Au')", {"application.device.brand"}),
        ("factors.band == 'high' && factors.grade > 2", {"factors.band", "factors.grade"}),
        ("application.channel.tier == r'application.channel.tier'", {"application.channel.tier"}),
        ("'''application.device.brand''' == application.device.brand", {"application.device.brand"}),
        ("has(application.device.brand) && application.device.brand == 'Aurora'", {"application.device.brand"}),
        ("application.attributes['campaign'] == 'spring' && application.term_months > 1", {"application.term_months"}),
        ("'campaign' in application.attributes && application.attributes.campaign == 'spring'", set()),
        ("application['device']['brand'] == 'Aurora'", set()),
        ("has(factors.band) && factors['band'] == 'high'", set()),
        ("['a'].exists(application, application == 'a')", set()),
        ("[1, 30].exists(months, months > application.term_months)", {"application.term_months"}),
        ("now > timestamp('2020-01-01T00:00:00Z') && application.product_code != ''", {"application.product_code"}),
    ],
)
def test_an_expression_gives_what_it_gives_over_the_whole_application(expression: str, flat: set[str]) -> None:
    compiled, problems = compile_expression(expression, factors=tuple(FACTORS), limits=DEFAULT_LIMITS)
    assert compiled is not None, problems
    assert compiled.flat == flat
    context = ContextBuilder([compiled]).build(application(), NOW, FACTORS)
    assert compiled.evaluate(context) is cel.evaluate(expression, AS_A_TREE)
