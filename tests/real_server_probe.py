"""Program for a network namespace: asks who has an address, or watches who asks as whom.

`CARD who-has ADDRESS` prints the MAC of each station that answers, whatever its answer says;
`CARD askers TARGET` prints the sender address of each ARP request or neighbour solicitation for
TARGET. Both end after half a second of silence, at most three. `CARD flood ADDRESS` is who-has with
a question every millisecond for three seconds.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import sys
import time

SILENCE_S = 0.5
LONGEST_S = 3.0


def main() -> None:
    card, what, address = sys.argv[1:]
    target = ipaddress.ip_address(address)
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.bind((card, 0))
    sock.settimeout(SILENCE_S)
    mac = sock.getsockname()[4]
    print("ready", flush=True)
    if what == "who-has":
        for _ in range(2):
            sock.send(_question(mac, target))
    if what == "flood":
        sock.settimeout(0.001)
    seen = set()
    end = time.monotonic() + LONGEST_S
    while time.monotonic() < end:
        if what == "flood":
            sock.send(_question(mac, target))
        try:
            frame = sock.recv(2048)
        except TimeoutError:
            if what == "flood":
                continue
            break
        if frame[6:12] == mac:
            continue
        found = _answer(frame, target) if what != "askers" else _asker(frame, target)
        if found is not None and found not in seen:
            seen.add(found)
            print(found, flush=True)


Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _question(mac: bytes, target: Address) -> bytes:
    if target.version == 4:
        own = ipaddress.ip_address("192.0.2.99").packed
        head = b"\xff" * 6 + mac + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1)
        return head + mac + own + bytes(6) + target.packed
    own = ipaddress.ip_address("2001:db8::99").packed
    body = struct.pack("!BBHI", 135, 0, 0, 0) + target.packed + b"\x01\x01" + mac
    # Straight to all nodes: the kernel looks at the target, not at the solicited-node group.
    group = ipaddress.ip_address("ff02::1").packed
    pseudo = own + group + struct.pack("!II", len(body), 58) + body
    checksum = sum(struct.unpack(f"!{len(pseudo) // 2}H", pseudo))
    while checksum > 0xFFFF:
        checksum = (checksum & 0xFFFF) + (checksum >> 16)
    body = body[:2] + struct.pack("!H", ~checksum & 0xFFFF) + body[4:]
    head = struct.pack("!IHBB", 6 << 28, len(body), 58, 255)
    return b"\x33\x33\x00\x00\x00\x01" + mac + b"\x86\xdd" + head + own + group + body


def _answer(frame: bytes, target: Address) -> str | None:
    kind = frame[12:14]
    if kind == b"\x08\x06" and frame[20:22] == b"\x00\x02":
        return frame[6:12].hex(":")
    if kind == b"\x86\xdd" and frame[20] == 58 and frame[54] == 136:
        return frame[6:12].hex(":") if frame[62:78] == target.packed else None
    return None


def _asker(frame: bytes, target: Address) -> str | None:
    kind = frame[12:14]
    if kind == b"\x08\x06" and frame[20:22] == b"\x00\x01" and frame[38:42] == target.packed:
        return str(ipaddress.ip_address(frame[28:32]))
    if kind == b"\x86\xdd" and frame[20] == 58 and frame[54] == 135:
        return str(ipaddress.ip_address(frame[22:38])) if frame[62:78] == target.packed else None
    return None


if __name__ == "__main__":
    main()
