"""The methods of the risk room on tables that are not ours: plain columns in, findings out. Pure functions."""
