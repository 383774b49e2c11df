"""L5: model to text through templates/, and what a target cannot say. Reads templates only."""
