"""Losses: one number per sample from logits and a target."""
