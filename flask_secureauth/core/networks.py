"""The network that an address is in: what is kept of where somebody was."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_KEPT_BITS = {4: 24, 6: 48}
"""Of an address: enough to recognise one's own network, too few to follow a person."""


def read_address(text: str | None) -> IPv4Address | IPv6Address | None:
    """Return an address; that of an IPv4 client in the form of IPv6 is an IPv4 one. ``None`` for what is none."""
    try:
        address = ip_address(text or "")
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def network_of(ip: str | None, bits: Mapping[int, int] = _KEPT_BITS) -> str | None:
    """Return the network of an address, such as ``203.0.113.0/24``; ``None`` for what is no address.

    ``bits`` are those that an address of each version keeps.
    """
    address = read_address(ip)
    if address is None:
        return None
    # As bytes: the name of a machine's own link, fe80::1%eth0, is none of ours.
    return str(ip_network((int(address).to_bytes(address.max_prefixlen // 8), bits[address.version]), strict=False))
