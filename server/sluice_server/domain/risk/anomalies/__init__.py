"""Stores and repair shops whose claims stand out."""
