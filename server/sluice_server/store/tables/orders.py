"""Orders, their decisions and submissions, and what is counted and compared of them.

``orders`` holds what is asked about an order most often: its state and its current insurer. ``decisions`` and
``submissions`` hold its history, one row each, keyed by the order and a number. What workers and the breaker look for
is found by partial indexes that stay as small as the backlog, however many orders are stored.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, SmallInteger, Table, Text, text

from sluice_server.store.tables._schema import metadata, partial
from sluice_server.store.types import Digest, Identifier, Json, Sequence64, UtcTime

# Conditions of the partial indexes. SQLite uses such an index only when the query repeats its condition word for word.
BACKLOG = text("finished_at IS NULL AND submit_requested")
DUE = text("next_attempt_at IS NOT NULL")
ABNORMAL = text("state IN ('ABNORMAL', 'PARKED')")
IN_INCIDENT = text("incident_id <> ''")
FINISHED = text("finished_at IS NOT NULL")
AWAITED = text("accepted_at IS NOT NULL OR outcome = 'UNKNOWN' OR settled_at IS NOT NULL")

orders = Table(
    "orders",
    metadata,
    Column("order_seq", Sequence64, primary_key=True, autoincrement=True),
    Column("application_id", Identifier, nullable=False, unique=True),
    Column("fingerprint", Digest, nullable=False),
    Column("state", Text, nullable=False),
    Column("product_code", Identifier, nullable=False),
    Column("product_line", Identifier, nullable=False),
    Column("insurer_id", Identifier, nullable=False),  # in charge now; empty: nobody
    Column("decided_at", UtcTime),  # of the current decision
    Column("application", Json, nullable=False),  # what is not in a column
    Column("incident_id", Identifier, nullable=False),
    Column("policy_number", Text, nullable=False),
    Column("submit_requested", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),  # when the state became final
    Column("version", BigInteger, nullable=False),
)
Index("ix_orders_created", orders.c.created_at)
Index("ix_orders_insurer", orders.c.insurer_id, orders.c.created_at)
Index("ix_orders_product", orders.c.product_code, orders.c.created_at)
Index("ix_orders_updated", orders.c.updated_at)
Index("ix_orders_decided", orders.c.decided_at)
Index("ix_orders_backlog", orders.c.insurer_id, orders.c.product_line, orders.c.decided_at, **partial(BACKLOG))
Index("ix_orders_due", orders.c.state, orders.c.next_attempt_at, **partial(DUE))
Index("ix_orders_abnormal", orders.c.state, orders.c.created_at, **partial(ABNORMAL))
Index("ix_orders_incident", orders.c.incident_id, orders.c.state, orders.c.created_at, **partial(IN_INCIDENT))

# decisions and submissions have no foreign key to orders: the store writes them in the order's own transaction and
# deletes nothing, and the check would cost PostgreSQL as much as the insert.
decisions = Table(
    "decisions",
    metadata,
    Column("order_seq", Sequence64, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("decision_id", Identifier, nullable=False),
    Column("disposition", Text, nullable=False),
    Column("insurer_id", Identifier, nullable=False),
    Column("plan_version", BigInteger, nullable=False),
    Column("decided_at", UtcTime, nullable=False),
    Column("content", Json, nullable=False),  # the rest of the decision
    sqlite_with_rowid=False,
)

submissions = Table(
    "submissions",
    metadata,
    Column("order_seq", Sequence64, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("submission_id", Identifier, nullable=False),
    Column("insurer_id", Identifier, nullable=False),
    Column("product_line", Identifier, nullable=False),
    Column("kind", Text, nullable=False),
    Column("idempotency_key", Text, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("deadline", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
    Column("outcome", Text),
    Column("error_code", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("policy_number", Text, nullable=False),
    Column("latency_seconds", Float(53)),
    Column("settled_outcome", Text),
    Column("settled_at", UtcTime),
    Column("accepted_at", UtcTime),
    Column("reference", Text),
    Column("flag", Text),
    sqlite_with_rowid=False,
)
# What an insurer may tell by a callback. Only calls that were not answered at once are in it: the others cost nothing.
Index("ix_submissions_callback", submissions.c.idempotency_key, **partial(AWAITED))
Index("ix_submissions_finished", submissions.c.finished_at, **partial(FINISHED))
Index("ix_submissions_insurer", submissions.c.insurer_id, submissions.c.started_at)

# How many orders were decided in each few seconds (counts.py), so that the breaker need not count the orders of half an
# hour twice a second. Every process adds to rows of its own shard: two replicas do not wait for each other's commit.
order_counts = Table(
    "order_counts",
    metadata,
    Column("bucket", BigInteger, primary_key=True, autoincrement=False),
    Column("insurer_id", Identifier, primary_key=True),
    Column("product_line", Identifier, primary_key=True),
    Column("shard", SmallInteger, primary_key=True, autoincrement=False),
    Column("routed", BigInteger, nullable=False),  # orders whose current decision is of this time
    Column("submitted", BigInteger, nullable=False),  # of these, the ones that Sluice submits
    Column("finished", BigInteger, nullable=False),  # of these, the final ones
    sqlite_with_rowid=False,
)

# The last comparison of an insurer's list of policies with the store, for each day; also the claim of the process that
# makes it.
policy_reconciliations = Table(
    "policy_reconciliations",
    metadata,
    Column("insurer_id", Identifier, primary_key=True),
    Column("day", Text, primary_key=True),  # YYYY-MM-DD of the insurer's calendar
    Column("started_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
    Column("claimed_until", UtcTime),
    Column("content", Json, nullable=False),  # what it found; empty until it is finished
    Column("version", BigInteger, nullable=False),
)
