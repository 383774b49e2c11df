"""L9: the command line, one module per subcommand."""
