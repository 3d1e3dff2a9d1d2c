"""Charts and dashboards: definitions in words of the semantic model, and their Vega-Lite specifications."""
