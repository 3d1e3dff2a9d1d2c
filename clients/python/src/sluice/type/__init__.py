"""Generated from protos/sluice/type: run ``make gen``, never edit."""
