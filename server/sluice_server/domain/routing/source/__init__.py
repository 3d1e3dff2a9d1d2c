"""A plan's text: read with its places, checked, and given its meaning."""
