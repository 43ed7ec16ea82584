"""Where requests come from."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

_WHOLE_BITS = {4: 32, 6: 64}
_SHOWN_BITS = {4: 24, 6: 48}


def source_of(peer: str, forwarded: str, proxies: int) -> str:
    """The network that counts as one caller: an IPv4 address, or the /64 of an IPv6 address.

    `proxies` are ours: so many of the last entries of X-Forwarded-For were written by them, the others by anybody.
    """
    hops = [one.strip() for one in forwarded.split(",") if one.strip()]
    return _network(hops[-proxies] if 0 < proxies <= len(hops) else peer, _WHOLE_BITS)


def shown(source: str) -> str:
    """The source as it is kept for people: without the part that names one household."""
    return _network(source.partition("/")[0], _SHOWN_BITS)


def _network(address: str, bits: dict[int, int]) -> str:
    try:
        found = ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    network = ip_network((found, bits[found.version]), strict=False)
    return str(found) if network.num_addresses == 1 else str(network)
