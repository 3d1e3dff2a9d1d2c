"""Generated from protos/sluice/routing/v1: run ``make gen``, never edit."""
