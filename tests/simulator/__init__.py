"""A world of directors, links, segments and kernels, in which the failover core is tried.

Time is virtual, in microseconds (`_us`); every chance comes from one seeded generator, so that a
seed is a history. The invariants are judged on the simulated kernels, never on what the directors
believe.
"""
