"""L8: a whole LVS setup in a guest kernel: client, two directors, real servers, and what they do.

The pure part (`topology`, `expectation`, `verdict`, `text`) knows no guest; `uml` and `qemu` boot
one; `guest` is the program that runs in it.
"""
