"""L1: what may be written, as frozen values read from `grammar/`."""
