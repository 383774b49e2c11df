"""L6: one model into a pair of directors and their real servers, with an account of every
statement. Pure: it reads and writes no files."""
