"""What the tests of this folder share."""

from realserver_case import server_on

__all__ = ["server_on"]
