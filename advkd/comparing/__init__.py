"""`advkd compare`: several methods in one setting, and whether the differences are real."""
