"""RouteApplication: decide, store, answer."""

from __future__ import annotations

from collections.abc import Sequence

from sluice_server.domain.context import CallContext
from sluice_server.domain.errors import SluiceError
from sluice_server.domain.orders.decide import SOMEBODY, Answer, Decisions, RoutedOrder
from sluice_server.domain.orders.model import OrderState
from sluice_server.domain.routing.model import Application


class RouteApplication:
    """分流: who insures an application, for teams that call the insurer themselves."""

    def __init__(self, decisions: Decisions) -> None:
        self._decisions = decisions
        self.turn = decisions.turn
        """When to begin with a call, reading it included (``DecisionLog.turn``)."""

    async def __call__(self, application: Application, context: CallContext) -> RoutedOrder:
        """The order with its decision, which is durable before it is answered.

        The same application again is answered as it is stored (``replayed``). There is one exception: after the team
        has reported a definite technical failure, it may go to another insurer, so the next call decides again.

        Raises ApplicationConflict, NoActivePlan, NoRuleMatches, Unavailable; ConcurrentChange when two calls decide a
        failed order again at the same moment (a repeat answers what the other decided).
        """
        routed = await self._decisions.first(application, submit=False, deadline=context.deadline)
        return await self._moved(routed) if routed.order.state is OrderState.ABNORMAL else routed

    async def many(self, applications: Sequence[Application]) -> Sequence[Answer | Exception]:
        """Each application as by itself, all in shared commits: in each place the answer, or what would be raised. Most
        new applications are answered by their decision alone."""
        results = list(await self._decisions.first_of_many(applications))
        for place, result in enumerate(results):
            if isinstance(result, RoutedOrder) and result.order.state is OrderState.ABNORMAL:
                try:
                    results[place] = await self._moved(result)
                except SluiceError as error:
                    results[place] = error
        return results

    async def _moved(self, routed: RoutedOrder) -> RoutedOrder:
        order = routed.order
        if order.submit_requested or order.unsettled:
            return routed
        moved = await self._decisions.redecide(order, failed=order.failed_insurers, accept=SOMEBODY)
        return routed if moved is None else RoutedOrder(moved, replayed=False)
