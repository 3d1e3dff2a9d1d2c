"""``sluice risk``: the methods of the risk room on any table, with what speaks for and against each answer."""
