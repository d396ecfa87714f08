"""Reporters: take every measured number as it comes."""
