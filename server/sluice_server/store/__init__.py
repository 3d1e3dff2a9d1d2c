"""Orders, plans, insurers, breakers, incidents, audit, alarms: on SQLite and on PostgreSQL (``sql_store``)."""
