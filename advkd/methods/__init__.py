"""Methods: what is learned from a batch."""
