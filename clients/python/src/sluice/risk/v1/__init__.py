"""Generated from protos/sluice/risk/v1: run ``make gen``, never edit."""
