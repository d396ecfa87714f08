"""Audits: a robustness verdict for any network, with the reasons to doubt it."""
