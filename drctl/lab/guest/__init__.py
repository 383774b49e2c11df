"""The program that runs inside the guest, as root of a kernel of its own.

It imports the standard library and `drctl.lab.plan` only, builds what the plan says, and speaks
JSON, one object a line. Its root file system is the machine's, read-only; everything that writes
runs in an overlay.
"""
