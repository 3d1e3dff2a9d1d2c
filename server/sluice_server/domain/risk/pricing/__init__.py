"""Model versions and prices: what is stored of a fitted model, the gate that a change of prices passes, quotes."""
