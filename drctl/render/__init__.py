"""L5: model to text through templates/, and what a target cannot express. No file I/O but templates."""
