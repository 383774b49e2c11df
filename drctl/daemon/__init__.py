"""L6: the failover daemon: processes that carry out what the core decides."""
