"""L2: text to a lossless tree, one tree for both dialects."""
