"""Generated from protos/sluice/type/v1: run ``make gen``, never edit."""
