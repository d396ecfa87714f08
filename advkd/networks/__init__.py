"""How networks are run, stored and left as found; nothing here imports what trains them."""
