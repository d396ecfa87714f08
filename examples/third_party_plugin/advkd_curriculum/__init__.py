"""The weighting `curriculum` for advkd, and the preset that uses it."""
