"""The audit trail: who changed what, when and why, as a chain that shows a changed or a missing row."""
