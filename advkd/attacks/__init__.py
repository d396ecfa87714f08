"""Attacks: generators of points that increase an objective inside a threat."""
