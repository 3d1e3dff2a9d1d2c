"""The decision log on PostgreSQL: asyncpg, arrays that one statement unfolds."""
