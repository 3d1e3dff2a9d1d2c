"""New orders with their first decisions on PostgreSQL: one statement that unfolds an array for each column, and answers
with a row only for an order that was known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sluice_server.store.columns import BUCKET_MICROSECONDS, COUNT_UPSERT, FIRST_COLUMNS
from sluice_server.store.order_write import FirstWrite


async def write_first(driver: Any, writes: Sequence[FirstWrite], shard: int) -> Sequence[bool]:
    """Stores them, in the transaction that has begun, else in one of its own; for each whether it took place."""
    new: dict[str, FirstWrite] = {}
    for write in writes:
        new.setdefault(write.application_id, write)
    columns = zip(*[write.row for write in new.values()], strict=True)
    known = {row["application_id"] for row in await driver.fetch(_INSERT, *columns, shard)}
    if not known and len(new) == len(writes):
        return [True] * len(writes)
    return [write.application_id not in known and new[write.application_id] is write for write in writes]


_TYPES = {
    "fingerprint": "bytea",
    "submit_requested": "boolean",
    "next_attempt_at": "timestamptz",
    "at": "timestamptz",
    "final": "boolean",
    "plan_version": "bigint",
}
"""Of a column; text when not named. JSON comes as text and is cast."""
_ARRAYS = ", ".join(f"${place}::{_TYPES.get(name, 'text')}[]" for place, name in enumerate(FIRST_COLUMNS, start=1))
# Sorted: two replicas that insert the same application_ids wait for each other instead of deadlocking.
_INSERT = f"""
    WITH input AS (
        SELECT * FROM unnest({_ARRAYS}) AS i({", ".join(FIRST_COLUMNS)})
    ), stored AS (
        INSERT INTO orders (
            application_id, fingerprint, state, product_code, product_line, insurer_id, decided_at, application,
            incident_id, policy_number, submit_requested, attempts, next_attempt_at, created_at, updated_at,
            finished_at, version
        )
        SELECT application_id, fingerprint, state, product_code, product_line, insurer_id, at, application::jsonb,
            '', '', submit_requested, 0, next_attempt_at, at, at, CASE WHEN final THEN at END, 0
        FROM input ORDER BY application_id COLLATE "C"
        ON CONFLICT (application_id) DO NOTHING
        RETURNING order_seq, application_id
    ), decided AS (
        INSERT INTO decisions (
            order_seq, number, decision_id, disposition, insurer_id, plan_version, decided_at, content
        )
        SELECT order_seq, 1, decision_id, disposition, insurer_id, plan_version, at, content::jsonb
        FROM input JOIN stored USING (application_id)
    ), counted AS (
        INSERT INTO order_counts (bucket, insurer_id, product_line, shard, routed, submitted, finished)
        SELECT bucket, insurer_id, product_line, ${len(FIRST_COLUMNS) + 1}::smallint, count(*),
            count(*) FILTER (WHERE submit_requested), count(*) FILTER (WHERE submit_requested AND final)
        FROM (
            SELECT (extract(epoch FROM at) * 1000000)::bigint / {BUCKET_MICROSECONDS} AS bucket, input.*
            FROM input JOIN stored USING (application_id) WHERE insurer_id <> ''
        ) AS of_insurers
        GROUP BY bucket, insurer_id, product_line ORDER BY bucket, insurer_id COLLATE "C", product_line COLLATE "C"
        {COUNT_UPSERT}
    )
    SELECT application_id FROM input LEFT JOIN stored USING (application_id) WHERE order_seq IS NULL
    """  # noqa: S608 - own names
