"""Which dialect a text is written in, judged by its content alone, never by its name."""

from __future__ import annotations

import re

KEEPALIVED = "keepalived"
LVS_CF = "lvs.cf"
DIALECTS = (KEEPALIVED, LVS_CF)

_ASSIGNMENT = re.compile(r"^[ \t]*[a-z_]+[ \t]*=", re.MULTILINE)
_PIRANHA_BLOCK = re.compile(
    r"^[ \t]*(?:(?:virtual|failover)[ \t]+(?!server\b)\S|virtual[ \t]+server[ \t]+\S+[ \t]*\{"
    r"|server[ \t]+\S+[ \t]*\{)",
    re.MULTILINE,
)
_KEEPALIVED_BLOCK = re.compile(
    r"^[ \t]*(?:@\S+[ \t]+)?(?:global_defs|vrrp_\w+|virtual_server(?:_group)?|static_\w+"
    r"|real_server"
    r"|bfd_instance|track_\w+|garp_group|virtual_ipaddress(?:_excluded)?|SSL|net_namespace|HTTP_GET"
    r"|SSL_GET|TCP_CHECK|MISC_CHECK|SMTP_CHECK|DNS_CHECK|UDP_CHECK|PING_CHECK|include[rmwba]?)\b"
    r"|^[ \t]*\$[A-Za-z_]\w*[ \t]*=",
    re.MULTILINE,
)


def detect(text: str) -> str:
    """`keepalived` or `lvs.cf`, whichever the lines speak for; `keepalived` when none speaks."""
    keepalived = 3 * len(_KEEPALIVED_BLOCK.findall(text))
    piranha = len(_ASSIGNMENT.findall(text)) + 3 * len(_PIRANHA_BLOCK.findall(text))
    return LVS_CF if piranha > keepalived else KEEPALIVED
