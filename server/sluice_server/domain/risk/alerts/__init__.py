"""Warnings: rules over a series of values, and what becomes of them."""
