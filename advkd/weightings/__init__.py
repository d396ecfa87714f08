"""Weightings: how much each point of a path counts for each sample."""
