"""Sends one mail: `python -m drctl.adapters.mail`, with the mail as JSON on standard input.

The object has `server`, `port`, `sender`, `recipients`, `helo` ("": this host's name), `timeout_s`,
`subject` and `body`. Exit codes: 0 sent; 1 refused or unreachable, as standard error says.
"""

from __future__ import annotations

import json
import smtplib
import socket
import sys
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any


def send(mail: dict[str, Any]) -> None:
    """Send it. Raises OSError, of which smtplib's errors are."""
    message = EmailMessage()
    message["Date"] = formatdate(localtime=True)
    message["From"] = mail["sender"]
    message["To"] = ", ".join(mail["recipients"])
    message["Subject"] = mail["subject"]
    message["X-Mailer"] = "drctl"
    message.set_content(mail["body"] + "\n")
    # a name of our own, or smtplib would ask the name service, which may be what is down
    name = mail["helo"] or socket.gethostname()
    with smtplib.SMTP(mail["server"], mail["port"], name, mail["timeout_s"]) as server:
        server.send_message(message, mail["sender"], mail["recipients"])


def main() -> int:
    """Send what standard input holds; the exit code."""
    mail = json.load(sys.stdin)
    try:
        send(mail)
    except (OSError, ValueError) as refused:
        print(f"drctl: cannot send mail by {mail['server']}: {refused}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
