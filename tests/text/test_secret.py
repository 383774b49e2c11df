"""Passwords are taken out of text that people get to see, and nothing else is."""

from __future__ import annotations

import pytest

from drctl.text.secret import MASK, masked

SECRET = "Gehe1m"


@pytest.mark.parametrize(
    "text",
    [
        f"auth_pass {SECRET}",
        f'auth_pass "{SECRET} x"',
        f"auth_pass '{SECRET} {SECRET}'",
        f"password {SECRET}",
        f"key 1 {SECRET}",
        f"$VRRP_PASS = {SECRET}",
        f'send = "GET / HTTP/1.0\\r\\nAuthorization: Basic {SECRET}=\\r\\n\\r\\n"',
        f'send = "Authorization: {SECRET}"',
        f'send = "USER mon\\r\\nPASS {SECRET}\\r\\nQUIT\\r\\n"',
        f'send = "AUTH {SECRET}\\r\\nPING\\r\\n"',
        f'send = "AUTH PLAIN {SECRET}\\r\\n"',
        f"/bin/check --password={SECRET} 192.0.2.21",
        f"/bin/check --passwd {SECRET} 192.0.2.21",
        f"/usr/bin/curl -u mon:{SECRET} http://192.0.2.21/",
        f"/usr/bin/curl http://mon:{SECRET}@192.0.2.21/",
        f"/usr/bin/mysqladmin -h %h -u mon -p{SECRET} status",
    ],
)
def test_password_is_masked(text: str) -> None:
    shown = masked(text)
    assert SECRET not in shown
    assert MASK in shown


@pytest.mark.parametrize(
    "text",
    [
        "auth_type PASS",
        "authentication {",
        "virtual_server 192.0.2.10 80 {",
        'send = "GET / HTTP/1.0\\r\\nHost: www.example.com:80\\r\\n\\r\\n"',
        "/bin/check -p 3306 -u mon http://192.0.2.21:80/a@b",
        "/usr/bin/mysqladmin -h %h -p status",
        "passive_ports 10000:20000",
        "notify_master /usr/local/bin/token-up",
    ],
)
def test_text_without_a_password_stays(text: str) -> None:
    assert masked(text) == text
