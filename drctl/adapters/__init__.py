"""L7: the only importers of the outside world: file systems, sockets, the kernel."""
