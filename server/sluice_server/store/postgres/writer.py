"""Many orders in one commit on PostgreSQL: asyncpg and a connection of its own, arrays that one statement unfolds.

An ORM's insert of many rows costs three times as much.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sluice_server.domain.errors import ConcurrentChange
from sluice_server.store.columns import (
    CHANGEABLE_COLUMNS,
    COUNT_COLUMNS,
    COUNT_UPSERT,
    DECISION_COLUMNS,
    ORDER_COLUMNS,
    SUBMISSION_CHANGES,
    SUBMISSION_COLUMNS,
)
from sluice_server.store.counts import CountChanges, standing
from sluice_server.store.order_write import FirstWrite, OrderWrite, PlainWrite, Write
from sluice_server.store.postgres.first import write_first
from sluice_server.store.rows import ASYNCPG, Codec, Row
from sluice_server.store.settling import Overtaken, all_plain, write_settled_postgres
from sluice_server.store.time_limits import CONNECT_SECONDS

_PING_AFTER_SECONDS = 1.0
"""A connection that was not used for so long may be from before the database's restart."""
_ATTEMPTS = 5
"""How often open orders are settled again when another replica stores the same applications at the same moment."""


class PostgresWriter:
    """Implements ``store.order_write.OrderWriter``."""

    def __init__(self, engine: AsyncEngine, *, shard: int) -> None:
        self._engine = engine
        self._shard = shard
        self._connection: AsyncConnection | None = None
        self._used_at = 0.0

    @property
    def codec(self) -> Codec:
        return ASYNCPG

    async def write(self, writes: Sequence[Write]) -> Sequence[bool]:
        was_open = self._connection is not None
        try:
            return await self._write_once(writes)
        except Exception as error:
            lost = await self._drop_if_lost(error)
            if not (was_open and lost and all(write.new for write in writes)):
                raise
        # The database was restarted since the last batch. New orders may be repeated: what the first attempt has stored
        # after all is found as known. A change may not: it would find its own doing and call it somebody else's.
        try:
            return await self._write_once(writes)
        except Exception as error:
            await self._drop_if_lost(error)
            raise

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _write_once(self, writes: Sequence[Write]) -> Sequence[bool]:
        driver = await self._driver()
        plain = all_plain(writes)
        if plain is not None:
            return await self._write_plain(driver, plain)
        for _ in range(_ATTEMPTS):
            with suppress(Overtaken):
                async with driver.transaction():
                    return await write_settled_postgres(driver, writes, partial(self._write_plain, driver))
        raise ConcurrentChange("others store the same applications at the same moment; repeat the call")

    async def _write_plain(self, driver: Any, writes: Sequence[PlainWrite]) -> Sequence[bool]:
        firsts = [write for write in writes if isinstance(write, FirstWrite)]
        if len(firsts) == len(writes):
            return await write_first(driver, firsts, self._shard) if firsts else []  # one statement is one transaction
        others = [write for write in writes if isinstance(write, OrderWrite)]
        async with driver.transaction():
            of_first = await write_first(driver, firsts, self._shard) if firsts else []
            done = {FirstWrite: iter(of_first), OrderWrite: iter(await self._write_others(driver, others))}
        return [next(done[type(write)]) for write in writes]

    async def _write_others(self, driver: Any, writes: Sequence[OrderWrite]) -> Sequence[bool]:
        new: dict[str, OrderWrite] = {}
        for write in writes:
            if write.new:
                new.setdefault(write.application_id, write)
        stored = await self._insert(driver, new) if new else set()
        changes = [write for write in writes if not write.new]
        changed = await self._change(driver, changes) if changes else set()
        return [
            write.application_id in stored and new[write.application_id] is write
            if write.new
            else write.application_id in changed
            for write in writes
        ]

    async def _driver(self) -> Any:
        if self._connection is not None and time.monotonic() - self._used_at > _PING_AFTER_SECONDS:
            await self._ping()
        if self._connection is None:
            self._connection = await self._engine.connect()
        self._used_at = time.monotonic()
        return (await self._connection.get_raw_connection()).driver_connection

    async def _ping(self) -> None:
        """Finds out whether a connection that nobody has used for a while is still one."""
        assert self._connection is not None
        driver = (await self._connection.get_raw_connection()).driver_connection
        try:
            assert driver is not None, "an open connection"
            await driver.execute("SELECT 1", timeout=CONNECT_SECONDS)
        except Exception as error:
            if not await self._drop_if_lost(error):
                raise

    async def _drop_if_lost(self, error: Exception) -> bool:
        """A connection that is closed, or whose database did not answer in time, is not used again."""
        connection = self._connection
        if connection is None:
            return False
        driver = (await connection.get_raw_connection()).driver_connection
        lost = driver is None or driver.is_closed()
        if not lost and not isinstance(error, TimeoutError):
            return False
        self._connection = None
        await connection.invalidate()
        await connection.close()
        return lost

    async def _insert(self, driver: Any, new: dict[str, OrderWrite]) -> set[str]:
        """The application_ids of those that were not known."""
        writes = list(new.values())
        standings = [
            (w.standing.bucket, bool(w.standing.insurer_id), int(w.standing.submitted), int(w.standing.finished))
            for w in writes
        ]
        rows = await driver.fetch(
            _INSERT,
            *_columns([w.row for w in writes], len(ORDER_COLUMNS)),
            *_columns(standings, 4),
            *_columns(_named(writes, "decisions"), len(DECISION_COLUMNS) + 1),
            *_columns(_named(writes, "submissions"), len(SUBMISSION_COLUMNS) + 1),
            self._shard,
        )
        return {row["application_id"] for row in rows}

    async def _change(self, driver: Any, writes: Sequence[OrderWrite]) -> set[str]:
        """The application_ids of those that were at their version. One that somebody else is changing right now counts
        as changed: a batch does not wait for one order."""
        found = {
            row["application_id"]: row
            for row in await driver.fetch(
                _LOCK, [write.application_id for write in writes], [write.version for write in writes]
            )
        }
        counts = CountChanges()
        numbered: list[tuple[int, OrderWrite]] = []
        for write in writes:
            row = found.get(write.application_id)
            if row is None:
                continue
            before = standing(
                insurer_id=row["insurer_id"],
                product_line=row["product_line"],
                decided_at=row["decided_at"],
                submit_requested=row["submit_requested"],
                state=row["state"],
            )
            counts.move(before, write.standing)
            numbered.append((row["order_seq"], write))
        if not numbered:
            return set()
        changes = [(order_seq, *write.row) for order_seq, write in numbered]
        await driver.execute(_UPDATE, *_columns(changes, len(CHANGEABLE_COLUMNS) + 1))
        for statement, kind, width in (
            (_DECIDE, "decisions", len(DECISION_COLUMNS) + 1),
            (_SUBMIT, "submissions", len(SUBMISSION_COLUMNS) + 1),
        ):
            rows = [(order_seq, *row) for order_seq, write in numbered for row in getattr(write, kind)]
            if rows:
                await driver.execute(statement, *_columns(rows, width))
        if added := counts.rows(self._shard):
            await driver.execute(_COUNT, *_columns(added, len(COUNT_COLUMNS)))
        return set(found)


def _named(writes: Sequence[OrderWrite], kind: str) -> list[Row]:
    return [(write.application_id, *row) for write in writes for row in getattr(write, kind)]


def _columns(rows: Sequence[Row], width: int) -> list[Sequence[Any]]:
    return list(zip(*rows, strict=True)) if rows else [()] * width


_TYPES = {
    "accepted_at": "timestamptz",
    "attempts": "integer",
    "bucket": "bigint",
    "created_at": "timestamptz",
    "deadline": "timestamptz",
    "decided_at": "timestamptz",
    "fingerprint": "bytea",
    "finished": "bigint",
    "finished_at": "timestamptz",
    "latency_seconds": "double precision",
    "next_attempt_at": "timestamptz",
    "number": "integer",
    "order_seq": "bigint",
    "plan_version": "bigint",
    "routed": "bigint",
    "settled_at": "timestamptz",
    "shard": "smallint",
    "started_at": "timestamptz",
    "submit_requested": "boolean",
    "submitted": "bigint",
    "updated_at": "timestamptz",
    "version": "bigint",
}
"""Of a column; text when not named. JSON comes as text and is cast."""
_JSON = frozenset({"application", "content"})


def _list(columns: Sequence[str], table: str = "") -> str:
    prefix = f"{table}." if table else ""
    return ", ".join(f"{prefix}{c}::jsonb" if table and c in _JSON else f"{prefix}{c}" for c in columns)


def _unnest(columns: Sequence[str], *, first: int, types: Sequence[str] = ()) -> str:
    """Arrays from parameter ``first`` on, as rows."""
    kinds = types or [_TYPES.get(column, "text") for column in columns]
    return f"unnest({', '.join(f'${place}::{kind}[]' for place, kind in enumerate(kinds, start=first))})"


def _insert_statement() -> str:
    counted = ("bucket", "counted", "submitted", "finished")
    of_decisions = len(ORDER_COLUMNS) + len(counted) + 1
    of_submissions = of_decisions + len(DECISION_COLUMNS) + 1
    shard = of_submissions + len(SUBMISSION_COLUMNS) + 1
    input_columns = (*ORDER_COLUMNS, *counted)
    input_types = [*(_TYPES.get(c, "text") for c in ORDER_COLUMNS), "bigint", "boolean", "bigint", "bigint"]
    decided, submitted = ("application_id", *DECISION_COLUMNS), ("application_id", *SUBMISSION_COLUMNS)
    # Sorted: two replicas that insert the same application_ids wait for each other instead of deadlocking.
    return f"""
    WITH input AS (
        SELECT * FROM {_unnest(input_columns, first=1, types=input_types)} AS i({_list(input_columns)})
    ), stored AS (
        INSERT INTO orders ({_list(ORDER_COLUMNS)})
        SELECT {_list(ORDER_COLUMNS, "input")} FROM input ORDER BY application_id
        ON CONFLICT (application_id) DO NOTHING
        RETURNING order_seq, application_id
    ), decided AS (
        INSERT INTO decisions (order_seq, {_list(DECISION_COLUMNS)})
        SELECT order_seq, {_list(DECISION_COLUMNS, "d")}
        FROM {_unnest(decided, first=of_decisions)} AS d({_list(decided)}) JOIN stored USING (application_id)
    ), submitted AS (
        INSERT INTO submissions (order_seq, {_list(SUBMISSION_COLUMNS)})
        SELECT order_seq, {_list(SUBMISSION_COLUMNS, "s")}
        FROM {_unnest(submitted, first=of_submissions)} AS s({_list(submitted)}) JOIN stored USING (application_id)
    ), counted AS (
        INSERT INTO order_counts ({_list(COUNT_COLUMNS)})
        SELECT bucket, insurer_id, product_line, ${shard}::smallint, count(*), sum(submitted), sum(finished)
        FROM input JOIN stored USING (application_id) WHERE counted
        GROUP BY bucket, insurer_id, product_line ORDER BY bucket, insurer_id, product_line
        {COUNT_UPSERT}
    )
    SELECT application_id FROM stored
    """  # noqa: S608 - own names


def _update_statement() -> str:
    columns = ("order_seq", *CHANGEABLE_COLUMNS)
    changes = ", ".join(
        f"{c} = c.{c}"
        if c != "finished_at"
        # It became final then, and not again with a later remark in its history.
        else "finished_at = CASE WHEN c.finished_at IS NOT NULL THEN coalesce(o.finished_at, c.finished_at) END"
        for c in CHANGEABLE_COLUMNS
    )
    return f"""
    UPDATE orders AS o SET {changes}, version = o.version + 1
    FROM {_unnest(columns, first=1)} AS c({_list(columns)}) WHERE o.order_seq = c.order_seq
    """  # noqa: S608 - own names


def _history_statement(table: str, columns: Sequence[str], conflict: str) -> str:
    columns = ("order_seq", *columns)
    return f"""
    INSERT INTO {table} ({_list(columns)})
    SELECT {_list(columns, "h")} FROM {_unnest(columns, first=1)} AS h({_list(columns)}) {conflict}
    """  # noqa: S608 - own names


_INSERT = _insert_statement()
_LOCK = """
    SELECT o.application_id, o.order_seq, o.insurer_id, o.product_line, o.decided_at, o.submit_requested, o.state
    FROM orders AS o JOIN unnest($1::text[], $2::bigint[]) AS w(application_id, version)
    ON o.application_id = w.application_id COLLATE "C" AND o.version = w.version
    FOR UPDATE OF o SKIP LOCKED
    """
_UPDATE = _update_statement()
_DECIDE = _history_statement("decisions", DECISION_COLUMNS, "ON CONFLICT DO NOTHING")
_SUBMIT = _history_statement(
    "submissions",
    SUBMISSION_COLUMNS,
    f"ON CONFLICT (order_seq, number) DO UPDATE SET {', '.join(f'{c} = excluded.{c}' for c in SUBMISSION_CHANGES)}",
)
_COUNT = (
    f"INSERT INTO order_counts ({_list(COUNT_COLUMNS)}) SELECT * FROM {_unnest(COUNT_COLUMNS, first=1)} {COUNT_UPSERT}"  # noqa: S608 - own names
)
