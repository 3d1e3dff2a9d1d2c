"""The columns of orders and of what hangs on them, as those name them who speak to the databases' drivers directly."""

from __future__ import annotations

ORDER_COLUMNS = (
    "application_id",
    "fingerprint",
    "state",
    "product_code",
    "product_line",
    "insurer_id",
    "decided_at",
    "application",
    "incident_id",
    "policy_number",
    "submit_requested",
    "attempts",
    "next_attempt_at",
    "created_at",
    "updated_at",
    "finished_at",
    "version",
)
FIRST_COLUMNS = (
    "application_id",
    "fingerprint",
    "state",
    "product_code",
    "product_line",
    "insurer_id",
    "application",
    "submit_requested",
    "next_attempt_at",
    "at",
    "final",
    "decision_id",
    "disposition",
    "plan_version",
    "content",
)
"""Of an order that has its first decision and nothing else. ``at``: when it was received, decided and changed last;
``final``: whether that has ended it."""
CHANGEABLE_COLUMNS = (
    "state",
    "insurer_id",
    "decided_at",
    "incident_id",
    "policy_number",
    "submit_requested",
    "attempts",
    "next_attempt_at",
    "updated_at",
    "finished_at",
)
"""What ``save`` writes of an order, beside its version."""
DECISION_COLUMNS = ("number", "decision_id", "disposition", "insurer_id", "plan_version", "decided_at", "content")
"""Beside order_seq."""
SUBMISSION_COLUMNS = (
    "number",
    "submission_id",
    "insurer_id",
    "product_line",
    "kind",
    "idempotency_key",
    "started_at",
    "deadline",
    "finished_at",
    "outcome",
    "error_code",
    "message",
    "policy_number",
    "latency_seconds",
    "settled_outcome",
    "settled_at",
    "accepted_at",
    "reference",
    "flag",
)
"""Beside order_seq."""
SUBMISSION_CHANGES = (
    "deadline",
    "finished_at",
    "outcome",
    "error_code",
    "message",
    "policy_number",
    "latency_seconds",
    "settled_outcome",
    "settled_at",
    "accepted_at",
    "reference",
)
"""What may change of a submission that is stored."""

BUCKET_MICROSECONDS = 5_000_000
"""Length of a bucket. What a question cuts off of a bucket at either end is counted row by row."""

COUNT_COLUMNS = ("bucket", "insurer_id", "product_line", "shard", "routed", "submitted", "finished")

COUNT_UPSERT = (
    "ON CONFLICT (bucket, insurer_id, product_line, shard) DO UPDATE SET "
    "routed = order_counts.routed + excluded.routed, submitted = order_counts.submitted + excluded.submitted, "
    "finished = order_counts.finished + excluded.finished"
)
