"""What a client sees, in the words of every difference."""

HANGS = "connections that the director sends to this server hang"
LEAKS = "a client that hears it first sends its requests here, past the director"
REBOOT = "nothing until the next reboot; then "
