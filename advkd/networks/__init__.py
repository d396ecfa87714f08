"""How networks are run, stored and left as found; nothing here knows of training."""
