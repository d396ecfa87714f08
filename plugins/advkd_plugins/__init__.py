"""First-party plugins: one folder per method, found through entry points alone."""
