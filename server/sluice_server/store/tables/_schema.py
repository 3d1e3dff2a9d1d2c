"""What all tables share: their collection with its naming convention, and partial indexes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import MetaData, TextClause

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def partial(condition: TextClause) -> dict[str, Any]:
    """The arguments of an index that holds only the rows of ``condition``, on either database."""
    return {"sqlite_where": condition, "postgresql_where": condition}
