"""L4: failover as a pure state machine: no input or output, no clock, no chance.

The shell feeds events, each with the instant `now_ms`, and carries out the actions that come back.
The same code runs in the daemon and in the simulator.
"""
