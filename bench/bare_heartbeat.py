"""The messages of a director that is active and idle, with nothing decided: `idle_floor` runs it.

    python bench/bare_heartbeat.py KEYS NAME PEER INTERVAL_MS SECONDS

One message of 90 bytes to the peer by CURVE and one from it, two renewals by netlink with their
acknowledgements, and two questions by ARP, for each interval; written as short as Python allows,
with no object made that is not needed. After a second of settling it prints
the share of a processor that it used in so many seconds, of all its threads, in percent.
"""

from __future__ import annotations

import gc
import json
import select
import socket
import struct
import sys
import time
from pathlib import Path

import zmq

CARD, PORT, HEARTBEAT = "eth0", 5390, b"x" * 90
ADDRESSES = {"lb1": "192.0.2.1", "lb2": "192.0.2.2"}
VIP = socket.inet_aton("192.0.2.100")
_ETH_P_ARP, _RTM_NEWADDR, _REPLACED_AND_ACKNOWLEDGED = 0x0806, 20, 0x505
_LIFETIME_S = 1000


def main() -> None:
    """Beat until the time is over, and print the percentage."""
    keys, name, peer, interval_ms, seconds = sys.argv[1:]
    gc.disable()
    interval_s, limit_s = int(interval_ms) / 1000, float(seconds)
    context = zmq.Context()
    pairs = json.loads(Path(keys).read_text(encoding="ascii"))
    inbox, outbox = _sockets(context, pairs, name, peer)
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ARP))
    packets.bind((CARD, _ETH_P_ARP))
    packets.setblocking(False)
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    renewal, questions = _renewal(), _questions(packets.getsockname()[4], name, peer)
    poll, inbox_fd = select.epoll(), int(inbox.getsockopt(zmq.FD))
    poll.register(inbox_fd, select.EPOLLIN)
    poll.register(packets.fileno(), select.EPOLLIN)
    events, pollin, noblock = int(zmq.EVENTS), int(zmq.POLLIN), int(zmq.NOBLOCK)
    next_s = time.monotonic() + interval_s
    begin_s, used = next_s + 1, 0.0
    while True:
        now_s = time.monotonic()
        if not used and now_s >= begin_s:
            used, begin_s = _used_s(), now_s
        if used and now_s >= begin_s + limit_s:
            break
        if now_s >= next_s:
            next_s += interval_s
            outbox.send(HEARTBEAT)
            for _ in range(2):
                netlink.send(renewal)
                netlink.recv(4096)
            for question in questions:
                packets.send(question)
        for descriptor, _ in poll.poll(max(0.0, next_s - time.monotonic() - 0.0005)):
            if descriptor == inbox_fd:
                while int(inbox.getsockopt(events)) & pollin:
                    inbox.recv(noblock)
                continue
            try:
                while True:
                    packets.recv(2048)
            except BlockingIOError:
                pass
    print((_used_s() - used) / (now_s - begin_s) * 100)
    context.destroy(0)


def _sockets(
    context: zmq.Context[zmq.Socket[bytes]],
    pairs: dict[str, tuple[str, str]],
    name: str,
    peer: str,
) -> tuple[zmq.Socket[bytes], zmq.Socket[bytes]]:
    inbox, outbox = context.socket(zmq.PULL), context.socket(zmq.PUSH)
    for one in (inbox, outbox):
        one.curve_publickey, one.curve_secretkey = (key.encode() for key in pairs[name])
    inbox.curve_server = True
    inbox.bind(f"tcp://{ADDRESSES[name]}:{PORT}")
    outbox.curve_serverkey = pairs[peer][0].encode()
    outbox.connect(f"tcp://{ADDRESSES[peer]}:{PORT}")
    return inbox, outbox


def _renewal() -> bytes:
    """An address of this card is to live on (rtnetlink(7))."""
    body = struct.pack("BBBBI", socket.AF_INET, 24, 0, 0, socket.if_nametoindex(CARD))
    body += b"".join(struct.pack("HH4s", 8, kind, VIP) for kind in (1, 2))
    body += struct.pack("HHIIII", 20, 6, _LIFETIME_S, _LIFETIME_S, 0, 0)
    head = struct.pack("IHHII", 16 + len(body), _RTM_NEWADDR, _REPLACED_AND_ACKNOWLEDGED, 1, 0)
    return head + body


def _questions(mac: bytes, name: str, peer: str) -> tuple[bytes, bytes]:
    """For the peer, to everybody: the kernel of the peer answers, and the peer hears it."""
    own, theirs = (socket.inet_aton(ADDRESSES[one]) for one in (name, peer))
    arp = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, mac, own, bytes(6), theirs)
    frame = b"\xff" * 6 + mac + struct.pack("!H", _ETH_P_ARP) + arp
    return frame, frame


def _used_s() -> float:
    threads = Path("/proc/self/task").glob("*/schedstat")
    return sum(int(one.read_text(encoding="ascii").split()[0]) for one in threads) / 1e9


if __name__ == "__main__":
    main()
