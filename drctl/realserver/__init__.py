"""A real server's wanted state against what its kernel and its boot files have."""
