"""Writing the distribution of a new plugin."""
