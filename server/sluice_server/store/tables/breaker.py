"""Insurers, their breakers, and the incidents of these."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, Table, Text

from sluice_server.store.tables._schema import metadata
from sluice_server.store.types import Identifier, Json, Sequence64, UtcTime

insurers = Table(
    "insurers",
    metadata,
    Column("insurer_id", Identifier, primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("capacity", Json, nullable=False),
    Column("contact", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("version", BigInteger, nullable=False),
)

breakers = Table(
    "breakers",
    metadata,
    Column("insurer_id", Identifier, primary_key=True),
    Column("product_line", Identifier, primary_key=True),  # empty: the insurer as a whole
    Column("state", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("policy", Json, nullable=False),
    Column("state_since", UtcTime, nullable=False),
    Column("evidence_since", UtcTime, nullable=False),
    Column("incident_id", Identifier, nullable=False),
    Column("ramp_step", Integer, nullable=False),
    Column("trips_in_a_row", Integer, nullable=False),
    Column("version", BigInteger, nullable=False),
)

# What is normal for each scope, as the breakers have learned it: apart from the breakers, whose versions are compared.
learned_rates = Table(
    "learned_rates",
    metadata,
    Column("insurer_id", Identifier, primary_key=True),
    Column("product_line", Identifier, primary_key=True),
    Column("failures", Float(53), nullable=False),
    Column("orders", Float(53), nullable=False),
    Column("steps", Integer, nullable=False),
    Column("moved_at", Float(53), nullable=False),  # seconds since 1970
    Column("through", Float(53), nullable=False),  # seconds since 1970
)

incidents = Table(
    "incidents",
    metadata,
    Column("incident_id", Identifier, primary_key=True),
    Column("insurer_id", Identifier, nullable=False),
    Column("product_line", Identifier, nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("closed_at", UtcTime),
    Column("content", Json, nullable=False),  # evidence, shares, numbers, the other dates
    Column("version", BigInteger, nullable=False),
)
Index("ix_incidents_insurer", incidents.c.insurer_id, incidents.c.incident_id)

incident_events = Table(
    "incident_events",
    metadata,
    Column("event_seq", Sequence64, primary_key=True, autoincrement=True),
    Column("incident_id", Identifier, ForeignKey("incidents.incident_id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("actor", Identifier, nullable=False),
    Column("reason", Text, nullable=False),
    Column("details", Json, nullable=False),
)
Index("ix_incident_events_incident", incident_events.c.incident_id, incident_events.c.event_seq)
