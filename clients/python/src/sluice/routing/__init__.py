"""Generated from protos/sluice/routing: run ``make gen``, never edit."""
