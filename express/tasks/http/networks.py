"""The address behind a name, and whether it may be connected to: nothing but the public internet, unless a connection names the network."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# What IANA's registries of special-purpose addresses say is not globally reachable, and what leads there by other ways (multicast, the
# deprecated translations). Written out: what the standard library calls global differs from release to release
_SPECIAL = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
            "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            "::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16",
            "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
        ),
    )
)  # fmt: skip
# Where clouds tell a machine its credentials; some of these are public addresses by their number
_METADATA = frozenset(
    map(
        ip_address,
        (
            "169.254.169.254", "169.254.170.2", "169.254.170.23", "169.254.0.23", "100.100.100.200", "168.63.129.16", "192.0.0.192",
            "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254",
        ),
    )
)  # fmt: skip
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)


def refused(address: str, private: Sequence[Network] = ()) -> str | None:
    """Why nothing may connect to ``address`` (an IP address as text), or None. ``private``: networks that are allowed nevertheless; an
    address of cloud metadata only if it is named by itself."""
    try:
        found = ip_address(address)
    except ValueError:
        return "it is no IP address"
    if isinstance(found, IPv6Address) and found.scope_id is not None:
        return "it is an address of one link"
    return next((reason for each in _meanings(found) if (reason := _judged(each, private)) is not None), None)


def _judged(address: Address, private: Sequence[Network]) -> str | None:
    if address in _METADATA:
        alone = any(network.num_addresses == 1 and address in network for network in private)
        return None if alone else "it is where a cloud keeps the credentials of its machines"
    if any(address in network for network in private):
        return None
    if any(address in network for network in _SPECIAL) or not address.is_global or address.is_multicast:
        return "it is not an address of the public internet"
    return None


def _meanings(address: Address) -> tuple[Address, ...]:
    """Where packets to ``address`` may end: the IPv4 address that an IPv6 address is translated to."""
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    low = IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _NAT64:
        return (low,)
    return (address, low) if int(address) >> 32 & 0xFFFFFFFF in _ISATAP else (address,)
