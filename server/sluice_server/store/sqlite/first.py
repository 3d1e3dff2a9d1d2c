"""New orders with their first decisions on SQLite: the whole batch is one step of one statement.

Python lets go of the interpreter's lock for every step and has to win it back from a busy event loop, and each time it
asks for it, it slows the loop down: with a statement for each table and one to begin and to commit, the hand-overs cost
more than the inserts. So the writer's connection has a view that takes the orders, and a trigger behind it that puts
each of them into the tables. It is SQLite that unfolds the batch, begins and commits, while Python goes on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain

from sluice_server.store.columns import BUCKET_MICROSECONDS, FIRST_COLUMNS
from sluice_server.store.order_write import FirstWrite
from sluice_server.store.types import json_text

ROWS_AT_ONCE = 1_024
"""Rows of one statement at most."""
_SIZE_STEP = 64
"""Up to here there is a statement for every number of rows, beyond only for multiples, which are filled up with empty
rows: few are ever compiled."""


def prepare(connection: sqlite3.Connection) -> None:
    """Gives the connection its view and its trigger; nobody else sees them."""
    nulls = ", ".join(f"NULL AS {name}" for name in FIRST_COLUMNS)
    connection.execute(f"CREATE TEMP VIEW first_decisions AS SELECT {nulls}")
    connection.execute(_TRIGGER)


def write_first(connection: sqlite3.Connection, writes: Sequence[FirstWrite]) -> Sequence[bool]:
    """Stores them; for each whether it took place. In the transaction that has begun, else in one of its own; up to
    ``ROWS_AT_ONCE`` writes are one statement."""
    before = connection.total_changes
    for start in range(0, len(writes), ROWS_AT_ONCE):
        part = writes[start : start + ROWS_AT_ONCE]
        size = len(part) if len(part) <= _SIZE_STEP else -(-len(part) // _SIZE_STEP) * _SIZE_STEP
        values = [*chain.from_iterable([write.row for write in part]), *_EMPTY_ROW * (size - len(part))]
        connection.execute(_statement(size), values)
    # An order, its decision, its count: fewer rows mean that some application_ids were known.
    if connection.total_changes - before == sum([_CHANGES[write.row[_INSURER] != ""] for write in writes]):
        return [True] * len(writes)
    # A decision has an id of its own, so the stored one tells whose order it is.
    stored = set(connection.execute(_STORED, (json_text([write.application_id for write in writes]),)))
    return [_taken(stored, write) for write in writes]


def _taken(stored: set[tuple[str, str, bytes]], write: FirstWrite) -> bool:
    own = (write.row[_DECISION_ID], write.row[_INSURER], write.row[_FINGERPRINT])
    if own not in stored:
        return False
    stored.remove(own)  # of several in a batch the first has taken place
    return True


@cache
def _statement(count: int) -> str:
    row = f"({', '.join('?' * len(FIRST_COLUMNS))})"
    return f"INSERT INTO first_decisions ({', '.join(FIRST_COLUMNS)}) VALUES {', '.join([row] * count)}"  # noqa: S608 - own names


_EMPTY_ROW = [None] * len(FIRST_COLUMNS)
_INSURER = FIRST_COLUMNS.index("insurer_id")
_DECISION_ID = FIRST_COLUMNS.index("decision_id")
_FINGERPRINT = FIRST_COLUMNS.index("fingerprint")
_CHANGES = {True: 3, False: 2}
"""Rows that an order changes: with an insurer it is counted (``counts.Standing``)."""
_STORED = """
    SELECT d.decision_id, d.insurer_id, o.fingerprint
    FROM orders AS o JOIN decisions AS d ON d.order_seq = o.order_seq AND d.number = 1
    WHERE o.application_id IN (SELECT value FROM json_each(?))
    """
_FINISHED_AT = "CASE WHEN NEW.final THEN NEW.at END"
# changes() and last_insert_rowid() speak of the statement before: nothing comes of an order that is known.
_TRIGGER = f"""
CREATE TEMP TRIGGER store_first_decision INSTEAD OF INSERT ON first_decisions
WHEN NEW.application_id IS NOT NULL BEGIN
    INSERT INTO orders (
        application_id, fingerprint, state, product_code, product_line, insurer_id, decided_at, application,
        incident_id, policy_number, submit_requested, attempts, next_attempt_at, created_at, updated_at, finished_at,
        version
    ) VALUES (
        NEW.application_id, NEW.fingerprint, NEW.state, NEW.product_code, NEW.product_line, NEW.insurer_id, NEW.at,
        NEW.application, '', '', NEW.submit_requested, 0, NEW.next_attempt_at, NEW.at, NEW.at, {_FINISHED_AT}, 0
    ) ON CONFLICT (application_id) DO NOTHING;
    INSERT INTO decisions (order_seq, number, decision_id, disposition, insurer_id, plan_version, decided_at, content)
    SELECT last_insert_rowid(), 1, NEW.decision_id, NEW.disposition, NEW.insurer_id, NEW.plan_version, NEW.at,
        NEW.content
    WHERE changes() = 1;
    INSERT INTO order_counts (bucket, insurer_id, product_line, shard, routed, submitted, finished)
    SELECT NEW.at / {BUCKET_MICROSECONDS}, NEW.insurer_id, NEW.product_line, 0, 1, NEW.submit_requested,
        NEW.submit_requested AND NEW.final
    WHERE changes() = 1 AND NEW.insurer_id <> ''
    ON CONFLICT (bucket, insurer_id, product_line, shard) DO UPDATE SET
        routed = routed + 1, submitted = submitted + excluded.submitted, finished = finished + excluded.finished;
END
"""  # noqa: S608 - own names
