"""Make wing: data sets, networks, losses, training and export. Needs the ``[train]`` extra."""
