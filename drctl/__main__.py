"""`python -m drctl` is `drctl`."""

from drctl.cli.main import entry

if __name__ == "__main__":
    entry()
