"""Hostile texts of any size: each family is a text that grows with a number."""

from __future__ import annotations

from collections.abc import Callable

Family = Callable[[int], str]


def _repeated(text: str, head: str = "", tail: str = "") -> Family:
    """`text` for each number, in which `@` stands for the number."""
    return lambda count: head + "".join(text.replace("@", str(n)) for n in range(count)) + tail


_INSTANCE = "vrrp_instance V@ {\nstate BACKUP\ninterface eth@\nvirtual_router_id 5\npriority 9\n"
_SERVICE = "virtual_server 192.0.2.1 80 {\nlb_algo rr\nprotocol TCP\n"
_REAL = "real_server 192.0.2.9 @ {\nweight @\nTCP_CHECK {\nconnect_timeout 3\n}\n}\n"

KEEPALIVED: dict[str, Family] = {
    "opening braces": _repeated("{"),
    "opening braces on lines": _repeated("{\n"),
    "closing braces": _repeated("}\n"),
    "nested blocks": _repeated("a@ {\n"),
    "nested blocks that close": lambda count: "vrrp_instance V {\n" * count + "}\n" * count,
    "quotes": _repeated('"'),
    "quotes on lines": _repeated('a "b\n'),
    "quoted words": _repeated('"@" '),
    "quoted words in a script": _repeated("'a@' ", 'vrrp_script s {\nscript "', '"\n}\n'),
    "backslashes": _repeated("\\"),
    "backslash newlines": _repeated("a \\\n"),
    "escaped comments": _repeated("\\# "),
    "comments": _repeated("# @\n! @\n"),
    "a long word": _repeated("x"),
    "a long word in a block": _repeated("x", "vrrp_instance V {\nstate ", "\n}\n"),
    "a long secret": _repeated("x", "vrrp_instance V {\nauthentication {\nauth_pass ", "\n}\n}\n"),
    "blanks": _repeated(" ", "", "a\n"),
    "empty lines": _repeated("\n"),
    "NUL": _repeated("a\0b\n"),
    "carriage returns": _repeated("a@\r\n"),
    "template marks": _repeated("{{ a@ }}{% b %}\n"),
    "dollars": _repeated("$"),
    "opened uses": _repeated("${"),
    "uses of nothing": _repeated("a ${N@} $M@\n"),
    "definitions": _repeated("$A@=@\n"),
    "definitions and uses": _repeated("$A=@\nvrrp_version $A\n"),
    "definitions of each other": _repeated("$A@=$A\n$A=x\na ${A@}\n"),
    "a use in a use": lambda count: (
        "".join(f"$A{n}=$A{n + 1}\n" for n in range(count)) + f"$A{count}=x\na $A0\n"
    ),
    "lines of a definition": _repeated("x@ \\\n", "$A=a \\\n", "\n$A\n"),
    "uses of a long definition": lambda count: "$A=a \\\n" + "x \\\n" * 8 + "\n" + "$A\n" * count,
    "definitions of lines in each other": lambda count: (
        "".join(f"$A{n}=a{n} \\\n$A{n + 1}\n" for n in range(count)) + f"$A{count}=x\n$A0\n"
    ),
    "conditions": _repeated("@ a\n".replace("@", "@lb1") + "@^lb1 b\n".replace("@", "\x40")),
    "conditions on a line": lambda count: "@lb1 " * count + "a\n",
    "sequences": _repeated("~SEQ(i,3) a$i b@\n"),
    "a long sequence": lambda count: f"~SEQ(i,{count}) vrrp_version $i\n",
    "sequences in a sequence": lambda count: f"~SEQ(i,{count}) ~SEQ(j,3) a $i $j\n",
    "a long list": lambda count: "~LST(i" + ",x" * count + ") a $i\n",
    "opened sequences": _repeated("~SEQ(\n"),
    "missing includes": _repeated("include no@.conf\n"),
    "includes of itself": _repeated("include main.conf\n"),
    "includes of another": _repeated("include b.conf\n", "", "\n%%%% b.conf\na\n"),
    "brace lists in an include": lambda count: "include " + "{a,b}" * count + "\n",
    "silenced findings": _repeated("a@ # drctl: ignore[DR201]\n"),
    "silencing comments": _repeated("# drctl: ignore\n"),
    "unknown keywords": _repeated("nothing_like_it@ 1\n"),
    "similar keywords": _repeated("vrrp_versio@ 1\n"),
    "addresses": _repeated(
        "192.0.2.1/32 dev eth@\n", _INSTANCE + "virtual_ipaddress {\n", "}\n}\n"
    ),
    "bad addresses": _repeated("x@\n", _INSTANCE + "virtual_ipaddress {\n", "}\n}\n"),
    "peers": _repeated("192.0.2.@\n", _INSTANCE + "unicast_peer {\n", "}\n}\n"),
    "options of an address": _repeated("dev eth@ ", _INSTANCE + "virtual_ipaddress {\n192.0.2.1 "),
    "routes": _repeated("192.0.2.@ via 192.0.2.1\n", _INSTANCE + "virtual_routes {\n", "}\n}\n"),
    "hops of a route": _repeated("nexthop via 192.0.2.1 ", "static_routes {\n192.0.2.0/24 ", "\n}"),
    "instances": _repeated(_INSTANCE + "}\n"),
    "instances of one name": _repeated("vrrp_instance V {\n}\n"),
    "instances that track": _repeated(_INSTANCE + "track_interface {\neth@\n}\n}\n"),
    "sync groups": _repeated(_INSTANCE + "}\nvrrp_sync_group G@ {\ngroup {\nV@\n}\n}\n"),
    "sync groups of one instance": _repeated(
        "vrrp_sync_group G@ {\ngroup {\nV\n}\n}\n", "vrrp_instance V {\n}\n"
    ),
    "members of a sync group": _repeated("V@\n", "vrrp_sync_group G {\ngroup {\n", "}\n}\n"),
    "scripts": _repeated("vrrp_script s@ {\nscript /bin/a\n}\n"),
    "scripts of one name": _repeated("vrrp_script s {\nscript /bin/a\n}\n"),
    "tracked scripts": _repeated("s@\n", _INSTANCE + "track_script {\n", "}\n}\n"),
    "track files of one name": _repeated('vrrp_track_file f {\nfile "/a"\n}\n'),
    "services": _repeated("virtual_server 192.0.2.1 @ {\n}\n"),
    "services of one address": _repeated("virtual_server 192.0.2.1 80 {\n}\n"),
    "real servers": _repeated(_REAL, _SERVICE, "}\n"),
    "real servers of one address": _repeated("real_server 192.0.2.9 80 {\n}\n", _SERVICE, "}\n"),
    "statements twice": _repeated("lb_algo rr\n", _SERVICE, "}\n"),
    "groups of services": _repeated("virtual_server_group g {\n192.0.2.@ 80\n}\n"),
    "entries of a group": _repeated("192.0.2.1-9 @\n", "virtual_server_group g {\n", "}\n"),
    "urls": _repeated("url {\npath /@\n}\n", _SERVICE + "real_server 192.0.2.9 80 {\nHTTP_GET {\n"),
    "status codes": _repeated("200 ", _SERVICE + "real_server ::1 80 {\nHTTP_GET {\nstatus_code "),
    "payload": _repeated("00 ", _SERVICE + "real_server ::1 80 {\nUDP_CHECK {\npayload "),
    "emails": _repeated("a@example.org\n", "global_defs {\nnotification_email {\n", "}\n}\n"),
    "global blocks": _repeated("global_defs {\nrouter_id a@\n}\n"),
    "BFD instances": _repeated("bfd_instance b@ {\nneighbor_ip 192.0.2.1\n}\n"),
}

LVS_CF: dict[str, Family] = {
    "assignments": _repeated("primary = 192.0.2.1\n"),
    "unknown assignments": _repeated("a@ = @\n"),
    "equals signs": _repeated("="),
    "values": _repeated("a ", "primary = "),
    "quoted values": _repeated('send = "a@"\n'),
    "quotes in a value": _repeated('"a', "a = "),
    "escapes in a value": _repeated('\\"', 'send = "', '"\n'),
    "single quotes": _repeated("'"),
    "a long value": _repeated("x", 'send = "', '"\n'),
    "virtuals": _repeated("virtual v@ {\nactive = 1\naddress = 192.0.2.1 eth0:1\nport = @\n}\n"),
    "virtuals of one name": _repeated("virtual v {\naddress = 192.0.2.1 eth0:1\n}\n"),
    "nested virtuals": _repeated("virtual v@ {\nserver s@ {\n"),
    "servers": _repeated(
        "server s@ {\naddress = 192.0.2.9\nactive = 1\n}\n",
        "service = lvs\nvirtual v {\nactive = 1\naddress = 192.0.2.1 eth0:1\n",
        "}\n",
    ),
    "servers of one address": _repeated("server s {\naddress = 192.0.2.9\n}\n", "virtual v {\n"),
    "failovers": _repeated("failover f@ {\naddress = 192.0.2.1 eth0:1\n}\n", "service = fos\n"),
    "carriage returns in lines": _repeated("a = 1\rb = 2\n"),
    "comments": _repeated("# @\n"),
}
