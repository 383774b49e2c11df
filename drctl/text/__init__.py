"""L0: text without domain words: places in it, diagnostics about it."""
