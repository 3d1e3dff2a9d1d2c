"""Generated from protos/sluice/insurer/v1: run ``make gen``, never edit."""
