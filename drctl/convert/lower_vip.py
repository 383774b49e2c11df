"""The addresses that move: VIPs of the virtual blocks and nat_router, as pulse 0.8.6 had them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from drctl.convert.ledger import Ledger, Verdict
from drctl.convert.writable import address_or_none, is_device, is_label
from drctl.model.configuration import Configuration
from drctl.model.origin import SELF, Origins
from drctl.model.pair import Address, Pulse
from drctl.model.service import MASQUERADE, LocalService, VirtualService
from drctl.model.vrrp import Vip
from drctl.text.place import Place

MOST_ADVERTISED = 255
"""Addresses that fit into one VRRP packet; keepalived 2.2.7 complains about more."""


def lower_vips(configuration: Configuration, pulse: Pulse, ledger: Ledger) -> tuple[Vip, ...]:
    """The VIPs of all active blocks of the kind that runs, each address once."""
    found: dict[str, Vip] = {}
    by_label: dict[str, Vip] = {}
    blocks: Iterable[VirtualService | LocalService] = (
        configuration.local_services if pulse.service == "fos" else configuration.services
    )
    for block in blocks:
        if not block.is_active or block.vip is None:
            continue
        # an active block's VIP is brought up even when its service cannot be
        vip = replace(block.vip, origins={**block.vip.origins, **_only_active(block.origins)})
        places = vip.origins.get("address", ())
        if address_or_none(vip.address, "a VIP", places, ledger) is None:
            continue
        known = found.get(vip.address)
        if known is None:
            found[vip.address] = _on_device(vip, by_label, ledger)
        else:
            found[vip.address] = _merged(known, vip, ledger)
    for vip in found.values():
        _note_mask(vip, ledger)
        note_own_address(vip.address, vip.origins.get("address", ()), configuration, ledger)
    return _excluded_beyond_packet(tuple(found.values()), ledger)


def _only_active(origins: Origins) -> Origins:
    return {"is_active": origins["is_active"]} if "is_active" in origins else {}


def _merged(known: Vip, vip: Vip, ledger: Ledger) -> Vip:
    """One VIP of two blocks; pulse brought up the first active one's."""
    origins = {
        name: (*known.origins.get(name, ()), *vip.origins.get(name, ()))
        for name in {**known.origins, **vip.origins}
    }
    if known.prefix is not None and vip.prefix not in {None, known.prefix}:
        why = f"{vip.address} has /{known.prefix} in an earlier block, which pulse brought up"
        ledger.note(vip.origins.get("prefix", ()), Verdict.REPAIRED, why, "make the masks alike")
    elif known.prefix is not None and vip.prefix == known.prefix:
        why = f"several blocks give {vip.address} this mask"
        ledger.note(origins.get("prefix", ()), Verdict.EXACT, why)
    if vip.label is not None and known.label is not None and vip.label != known.label:
        why = f"{vip.address} is on {known.label} in an earlier block, which pulse brought up"
        ledger.note(vip.origins.get("address", ()), Verdict.REPAIRED, why)
    return replace(known, prefix=known.prefix or vip.prefix, origins=origins)


def _on_device(vip: Vip, by_label: dict[str, Vip], ledger: Ledger) -> Vip:
    """The VIP with a device and a label that Linux takes."""
    places = vip.origins.get("address", ())
    if vip.device is None:
        why = f"{vip.address} has no device: pulse refused the line; it goes to that of VRRP"
        ledger.note(places, Verdict.REPAIRED, why, "check the device")
        return vip
    if not is_device(vip.device):
        why = f"{vip.device} can be no network device; the VIP goes to that of VRRP"
        ledger.note(places, Verdict.REPAIRED, why, "check the device")
        return replace(vip, device=None, label=None)
    if vip.label is None:
        _note_bare_device(vip.device, places, ledger)
        return vip
    if not is_label(vip.label):
        why = f"label {vip.label} is none that Linux takes, and is left out"
        ledger.note(places, Verdict.APPROXIMATED, why)
        return replace(vip, label=None)
    other = by_label.setdefault(vip.label, vip)
    if other is not vip:
        why = (
            f"{vip.label} carries both {other.address} and {vip.address}: pulse let the later VIP "
            "overwrite the earlier one; keepalived keeps both"
        )
        ledger.note((*places, *other.origins.get("address", ())), Verdict.REPAIRED, why)
    return vip


def _note_bare_device(device: str, places: tuple[Place, ...], ledger: Ledger) -> None:
    why = (
        f"{device} is no alias: pulse re-addressed the card itself on takeover and took it down on "
        "release; keepalived adds and removes this address only"
    )
    ledger.note(places, Verdict.REPAIRED, why)


def _note_mask(vip: Vip, ledger: Ledger) -> None:
    if vip.prefix is not None:
        return
    given = vip.origins.get("prefix", ())
    cause = "this vip_nmask is no network's, so" if given else "without vip_nmask"
    why = (
        f"{cause} pulse let ifconfig choose the mask of the address class; the VIP is written as "
        "/32, which announces no network"
    )
    todo = "write the mask that is meant when the directors reach that network by the VIP alone"
    ledger.note(given or vip.origins.get("address", ()), Verdict.APPROXIMATED, why, todo)


def note_own_address(
    address: str, places: tuple[Place, ...], configuration: Configuration, ledger: Ledger
) -> None:
    """Say so when an address that moves is one that a director is reached by."""
    for director in configuration.directors:
        if address in {director.public, director.private}:
            why = (
                f"{address} is the {director.rank} director's own address too: keepalived takes it "
                "away from that director while the other one is active"
            )
            todo = f"give the VIP or the {director.rank} director another address"
            ledger.note(places, Verdict.APPROXIMATED, why, todo)


def _excluded_beyond_packet(vips: tuple[Vip, ...], ledger: Ledger) -> tuple[Vip, ...]:
    if len(vips) <= MOST_ADVERTISED:
        return vips
    ledger.choose(
        "VIPs that VRRP packets do not name",
        len(vips) - MOST_ADVERTISED,
        f"a packet holds {MOST_ADVERTISED} addresses; the others move with the instance all the "
        "same (virtual_ipaddress_excluded)",
        "edit virtual_ipaddress_excluded",
    )
    rest = (replace(vip, is_excluded=True) for vip in vips[MOST_ADVERTISED:])
    return (*vips[:MOST_ADVERTISED], *rest)


def lower_gateway(pulse: Pulse, ledger: Ledger) -> Vip | None:
    """nat_router as an address that moves with the VIPs; None when pulse had none."""
    router = pulse.nat_router
    if router is None:
        return None
    places = router.origins.get("address", ())
    masks = router.origins.get("prefix", ())
    if pulse.method != MASQUERADE:
        why = "pulse reads nat_router only with network = nat"
        ledger.idle((*places, *masks), why)
        return None
    if address_or_none(router.address, "the gateway", places, ledger) is None:
        ledger.note(masks, Verdict.DROPPED, "nat_router is a host name, so it is left out")
        return None
    return _gateway_on_device(router, ledger)


def _gateway_on_device(router: Address, ledger: Ledger) -> Vip:
    places = router.origins.get("address", ())
    device, label, prefix = router.device, router.label, router.prefix
    if device is None or not is_device(device):
        why = "nat_router names no device that there can be; the address goes to that of VRRP"
        ledger.note(places, Verdict.REPAIRED, why, "check the device of nat_router")
        device = label = None
    elif label is None:
        _note_bare_device(device, places, ledger)
    elif not is_label(label):
        why = f"label {label} is none that Linux takes, and is left out"
        ledger.note(places, Verdict.APPROXIMATED, why)
        label = None
    if prefix == 32:
        why = "/32 gives the real servers' gateway no network; kept as written"
        todo = "check nat_nmask: the directors need another route to the real servers' network"
        ledger.note(router.origins.get("prefix", ()), Verdict.EXACT, why, todo)
    if prefix is None:
        why = (
            "without a nat_nmask that is a network's, ifconfig chose the mask of the address "
            "class; the gateway's address is written as /32"
        )
        todo = "check nat_nmask: the directors need a route to the real servers' network"
        ledger.note(router.origins.get("prefix", ()) or places, Verdict.APPROXIMATED, why, todo)
    origins = {**router.origins, SELF: places, "device": places, "label": places}
    return Vip(router.address, prefix, device, label, origins=origins)


def on_interface(vips: Iterable[Vip], interface: str) -> tuple[Vip, ...]:
    """VIPs as an instance has them; a device is named only where it is not the instance's own."""
    return tuple(
        replace(
            vip,
            prefix=vip.prefix or 32,
            device=None if vip.device == interface else vip.device,
        )
        for vip in vips
    )
