"""Generated from protos/sluice/insurer: run ``make gen``, never edit."""
