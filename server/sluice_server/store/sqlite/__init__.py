"""The decision log on SQLite: one thread, one connection, multi-row statements."""
