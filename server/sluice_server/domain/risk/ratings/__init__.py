"""Grades and scores of channels, shops, device models and segments."""
