"""L4: tree to model, one file per dialect. No file I/O."""
