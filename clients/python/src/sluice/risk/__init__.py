"""Generated from protos/sluice/risk: run ``make gen``, never edit."""
