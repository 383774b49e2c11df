"""One module for each rule or family of rules; found by listing this folder."""
