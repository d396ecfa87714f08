"""Evaluators: attacks that judge a network, one outcome per example."""
