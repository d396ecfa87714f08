"""Suites: which attacks judge a network, in which order, one YAML file each."""
