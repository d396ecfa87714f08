"""One run: its folder, its teacher, its loop, and what it keeps for the report."""
