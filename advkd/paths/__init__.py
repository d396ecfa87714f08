"""Path samplers: which images of a batch walk, and where to."""
