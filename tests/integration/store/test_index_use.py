"""Every question that is asked often is answered by an index, however many orders are stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from sluice_server.domain.orders.model import OrderState
from sluice_server.domain.orders.ports import OrderFilter, OrderPosition
from sluice_server.domain.unit_of_work import UnitOfWork
from sluice_server.store import SqlStore
from sluice_server.store.engine import create_engine
from tests.integration.store.samples import after, order

Question = Callable[[UnitOfWork], Awaitable[Any]]

QUESTIONS: dict[str, tuple[Question, set[str]]] = {
    "get": (lambda w: w.orders.get("app-1"), {"uq_orders_application_id"}),
    "first page": (lambda w: w.orders.list(OrderFilter(), after=None, limit=50), {"ix_orders_created"}),
    "later page": (
        lambda w: w.orders.list(OrderFilter(), after=OrderPosition(after(1), "app-1"), limit=50),
        {"ix_orders_created"},
    ),
    "abnormal orders": (
        lambda w: w.orders.list(OrderFilter(states=(OrderState.ABNORMAL,)), after=None, limit=50),
        {"ix_orders_abnormal"},
    ),
    "orders of an insurer": (
        lambda w: w.orders.list(OrderFilter(insurer_id="insurer-a"), after=None, limit=50),
        {"ix_orders_insurer"},
    ),
    "later page of an insurer": (
        lambda w: w.orders.list(OrderFilter(insurer_id="insurer-a"), after=OrderPosition(after(1), "app-1"), limit=50),
        {"ix_orders_insurer"},
    ),
    "orders of a product before": (
        lambda w: w.orders.list(OrderFilter(product_code="P", created_before=after(9)), after=None, limit=50),
        {"ix_orders_product"},
    ),
    "order by an insurer's key": (
        lambda w: w.orders.find_by_key("insurer-a", "key"),
        {"ix_submissions_callback", "pk_orders"},
    ),
    "order by a decision": (
        lambda w: w.orders.find_by_decision("dec-1", after=after(0), before=after(1)),
        {"ix_orders_created", "ix_orders_decided", "pk_decisions"},
    ),
    "orders of a day": (
        lambda w: w.orders.list(OrderFilter(created_after=after(0), created_before=after(9)), after=None, limit=50),
        {"ix_orders_created"},
    ),
    "range of a replay": (
        lambda w: w.orders.replay_range(created_from=after(0), created_before=after(9), limit=50),
        {"ix_orders_created"},
    ),
    "page of a replay": (
        lambda w: w.orders.first_decided(
            created_from=after(0), created_before=after(9), after=OrderPosition(after(1), "app-1"), limit=50
        ),
        {"ix_orders_created", "pk_decisions"},
    ),
    "due": (lambda w: w.orders.due(states=(OrderState.ABNORMAL,), at=after(1), limit=50), {"ix_orders_due"}),
    "exported": (
        lambda w: w.orders.exported(after=OrderPosition(after(1), "app-1"), until=after(9), limit=50),
        {"ix_orders_updated"},
    ),
    "abnormal of an incident": (lambda w: w.orders.abnormal_of("inc-1", limit=50), {"ix_orders_incident"}),
    "how many": (lambda w: w.orders.count_abnormal_of("inc-1"), {"ix_orders_incident"}),
    "outcomes": (
        lambda w: w.evidence.outcomes(finished_from=after(0), limit=50),
        {"ix_submissions_finished"},
    ),
    "backlog": (
        lambda w: w.evidence.backlog(decided_from=after(0), decided_until=after(1_800)),
        {"pk_order_counts", "ix_orders_backlog", "ix_orders_decided"},
    ),
    "shares": (
        lambda w: w.evidence.shares(decided_from=after(0), decided_until=after(1_800)),
        {"pk_order_counts", "ix_orders_decided"},
    ),
    "parked": (lambda w: w.evidence.parked(limit=50), {"ix_orders_abnormal", "pk_decisions"}),
    "newest audit rows": (
        lambda w: w.audit.list(subject="", actor="", before=9, limit=50),
        {"pk_audit_events"},
    ),
    "audit of a subject": (
        lambda w: w.audit.list(subject="insurers/a", actor="", before=9, limit=50),
        {"ix_audit_events_subject"},
    ),
    "audit of a request": (lambda w: w.audit.by_request("req-1", "CutTraffic"), {"ix_audit_events_request"}),
    "alarms": (lambda w: w.alarms.due(now=after(1), limit=50), {"ix_alarm_outbox_due"}),
}


@contextmanager
def statements_of(engine: Engine) -> Any:
    """Collects the questions that go to the database meanwhile."""
    seen: list[tuple[str, Any]] = []

    def collect(_c: object, _cursor: object, statement: str, parameters: Any, _ctx: object, _many: object) -> None:
        if statement.lstrip().startswith(("SELECT", "WITH")):
            seen.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", collect)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", collect)


@pytest.fixture
async def explaining(store: SqlStore, store_url: str) -> AsyncIterator[AsyncEngine]:
    async with store.write() as work:
        await work.orders.add(order("app-1"))
        await work.commit()
    engine = create_engine(store_url)
    yield engine
    await engine.dispose()


async def plans(engine: AsyncEngine, statements: list[tuple[str, Any]]) -> list[str]:
    """The lines of the databases' plans."""
    lines: list[str] = []
    async with engine.connect() as connection:
        sqlite = engine.dialect.name == "sqlite"
        if not sqlite:
            # So few rows are read faster than any index; the question is whether an index can be used.
            await connection.execute(text("SET LOCAL enable_seqscan = off"))
        for statement, parameters in statements:
            explain = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
            rows = await connection.exec_driver_sql(explain + statement, parameters)
            lines += [str(row[-1]) for row in rows]
    return lines


@pytest.mark.parametrize("name", QUESTIONS)
async def test_a_frequent_question_is_an_index_search(store: SqlStore, explaining: AsyncEngine, name: str) -> None:
    ask, indexes = QUESTIONS[name]
    with statements_of(store._engine.sync_engine) as seen:
        async with store.read() as work:
            await ask(work)
    assert seen
    lines = await plans(explaining, seen)
    shown = "\n".join(lines)
    unused = {i for i in indexes if i not in shown and not (i.startswith("pk_") and "PRIMARY KEY" in shown)}
    unused -= {i for i in unused if i == "uq_orders_application_id" and "sqlite_autoindex_orders_1" in shown}
    assert not unused, shown
    scans = [line for line in lines if "Seq Scan" in line or (line.startswith("SCAN") and "USING" not in line)]
    # What a subquery has found by its index is read from one end to the other.
    found = ("counts", "anon", "SCAN part")
    assert [line for line in scans if not any(name in line for name in found)] == [], shown
