"""Alarm platforms: Alertmanager, a signed webhook, and the delivery of the outbox to them."""
