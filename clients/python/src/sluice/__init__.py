"""Sluice's contract in Python: generated messages and stubs in ``sluice.{routing,insurer,risk}.v1``, the client in
``sluice.client``."""
