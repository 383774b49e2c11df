"""drctl: LVS direct routing without fear."""

__version__ = "0.1.0"
