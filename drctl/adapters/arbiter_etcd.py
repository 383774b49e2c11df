"""etcd by its JSON gateway (v3): leases, and keys that end with them. It waits for answers, so it
is for a process of its own."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from drctl.errors import DrctlError

_HEADERS = {"Content-Type": "application/json"}
_MOST_BYTES = 1 << 24
MOST_KEYS = 100
"""In one transaction: a cluster takes 128 operations, if it was not told otherwise."""


class EtcdRefused(DrctlError):
    """No member of the cluster answered as it should; says what each said."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Files: certificates that a member's is checked with ("": those of the system), our own and
    its key ("": none)."""

    ca: str = ""
    cert: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A key as it is: its value, the lease that it ends with, and the number of its last change."""

    value: str
    lease: int
    revision: int


class Etcd:
    """One cluster. The member that answered last is asked first."""

    def __init__(self, endpoints: Sequence[str], tls: Tls, timeout_s: float) -> None:
        self._endpoints = list(endpoints)
        self._timeout_s = timeout_s
        self._context = _context(tls) if any(one.startswith("https") for one in endpoints) else None
        self._connection: http.client.HTTPConnection | None = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def grant(self, ttl_s: int) -> int:
        """A new lease."""
        return int(self._ask("/v3/lease/grant", {"TTL": str(ttl_s)})["ID"])

    def keep_alive(self, lease: int) -> bool:
        """Begin the lease's time anew; false when it is over."""
        found = self._ask("/v3/lease/keepalive", {"ID": str(lease)})
        return int(found.get("result", {}).get("TTL", 0)) > 0

    def revoke(self, lease: int) -> None:
        """End the lease, and with it its keys."""
        self._ask("/v3/lease/revoke", {"ID": str(lease)})

    def entries(self, prefix: str) -> dict[str, Entry]:
        """The keys that begin so, without that beginning, by the cluster's majority."""
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        found = self._ask("/v3/kv/range", {"key": _text(prefix), "range_end": _text(end)})
        return {
            name.removeprefix(prefix): entry for name, entry in map(_entry, found.get("kvs", []))
        }

    def put(self, known: Mapping[str, int], value: str, lease: int) -> dict[str, Entry] | None:
        """Give all of the keys this value, if each was changed last at that number (0: it is not
        there). None when it was done, else what there is. At most `MOST_KEYS`."""
        put = {"value": _text(value), "lease": str(lease)}
        return self._if_unchanged(
            known, [{"requestPut": {"key": _text(key), **put}} for key in known]
        )

    def delete(self, known: Mapping[str, int]) -> dict[str, Entry] | None:
        """Remove all of the keys, if each was changed last at that number; else what there is."""
        return self._if_unchanged(
            known, [{"requestDeleteRange": {"key": _text(key)}} for key in known]
        )

    def _if_unchanged(
        self, known: Mapping[str, int], done: list[dict[str, Any]]
    ) -> dict[str, Entry] | None:
        look = [{"requestRange": {"key": _text(key)}} for key in known]
        compare = [_unchanged(key, revision) for key, revision in known.items()]
        body = {"compare": compare, "success": done, "failure": look}
        answer = self._ask("/v3/kv/txn", body)
        if answer.get("succeeded"):
            return None
        found = [one.get("response_range", {}).get("kvs", []) for one in answer["responses"]]
        return dict(_entry(kvs[0]) for kvs in found if kvs)

    def _ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask one member after the other; what has been done when none answers nobody knows."""
        reasons = []
        for _ in range(len(self._endpoints)):
            endpoint = self._endpoints[0]
            try:
                return self._post(endpoint, path, json.dumps(body))
            except (OSError, http.client.HTTPException, ValueError, KeyError) as wrong:
                reasons.append(f"{endpoint}: {wrong or type(wrong).__name__}")
                self.close()
                self._endpoints.append(self._endpoints.pop(0))
        raise EtcdRefused("; ".join(reasons))

    def _post(self, endpoint: str, path: str, body: str) -> dict[str, Any]:
        if self._connection is None:
            self._connection = self._connect(endpoint)
        base = urlsplit(endpoint).path.rstrip("/")
        self._connection.request("POST", f"{base}{path}", body, _HEADERS)
        response = self._connection.getresponse()
        raw = response.read(_MOST_BYTES)
        if response.status != http.HTTPStatus.OK:
            raise ValueError(f"{response.status} {raw[:200].decode('utf-8', 'replace')}")
        found = json.loads(raw)
        if not isinstance(found, dict) or "error" in found:
            raise ValueError(str(found)[:200])
        return found

    def _connect(self, endpoint: str) -> http.client.HTTPConnection:
        parts = urlsplit(endpoint)
        assert parts.hostname is not None, "the configuration was checked"
        if parts.scheme == "https":
            return http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=self._timeout_s, context=self._context
            )
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=self._timeout_s)


def _context(tls: Tls) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.ca or None)
        if tls.cert:
            context.load_cert_chain(tls.cert, tls.key)
    except (OSError, ssl.SSLError) as wrong:
        files = ", ".join(one for one in (tls.ca, tls.cert, tls.key) if one)
        raise EtcdRefused(f"cannot use {files}: {wrong}") from wrong
    return context


def _text(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def _unchanged(key: str, revision: int) -> dict[str, str]:
    """How a transaction says that nobody has changed the key since, or made it."""
    number = {"target": "MOD", "mod_revision": str(revision)}
    return {"key": _text(key), **(number if revision else {"target": "VERSION", "version": "0"})}


def _entry(found: dict[str, Any]) -> tuple[str, Entry]:
    key, value = (
        base64.b64decode(found.get(one, "")).decode("utf-8", "replace") for one in ("key", "value")
    )
    return key, Entry(value, int(found.get("lease", 0)), int(found["mod_revision"]))
