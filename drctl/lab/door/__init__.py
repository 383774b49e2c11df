"""A guest that stays, and the way in: drctl's commands, and shells, in a kernel that has IPVS.

The guest's card leads to a namespace that only its keeper is in. What is asked for there comes as a
connection for each command, which carries its terminal, its output and its exit code.
"""
