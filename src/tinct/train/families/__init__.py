"""One file per method: its network, losses and players, read from top to bottom."""
