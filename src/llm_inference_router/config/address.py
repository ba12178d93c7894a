"""Addresses in a config: what may be called, and what must never be."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?\Z")
_NUMERIC_LABEL = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)\Z")
# Where clouds tell a machine its credentials. IPv4's link-local addresses hold most of them, and no model server.
_METADATA = tuple(
    ip_network(text)
    for text in [
        "169.254.0.0/16",
        "100.100.100.200",
        "168.63.129.16",
        "fd00:ec2::/32",
        "fd20:ce::254",
        "fe80::a9fe:a9fe",
    ]
)
# This machine, private and shared networks, and addresses of no one server.
_PRIVATE = tuple(
    ip_network(text)
    for text in [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "224.0.0.0/3",
        "::/127",
        "fc00::/7",
        "fe80::/10",
        "ff00::/8",
    ]
)
_TRANSLATED = ip_network("64:ff9b::/96")  # NAT64 (RFC 6052): the last four bytes are an IPv4 address
_METADATA_NAMES = frozenset({"metadata.google.internal", "metadata"})
IPAddress: TypeAlias = IPv4Address | IPv6Address

_CALLS = ("/chat/completions", "/completions", "/messages", "/responses", "/embeddings")


def problem(url: str) -> str | None:
    """What is wrong with an upstream's URL, without repeating it (it may hold a password); None when it is
    good."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is not a URL: write for example http://127.0.0.1:8000/v1"
    if parts.scheme not in ("http", "https"):
        return "needs a URL that begins with http:// or https://"
    if any(character <= " " or character == "\x7f" for character in url):
        return "holds a space or a control character"
    if parts.username is not None or parts.password is not None:
        return "holds credentials; put them into api_key"
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        return "holds a query or fragment; write the part before /chat/completions or /messages"
    if call := next((call for call in _CALLS if parts.path.rstrip("/").endswith(call)), None):
        return f"ends with {call}; write the part before it"
    if port == 0:
        return "has port 0"
    return _host_problem(parts)


def host(url: str) -> str:
    """The host of a URL that has passed `problem`, in lower case."""
    return (urlsplit(url).hostname or "").rstrip(".")


def is_loopback(name: str) -> bool:
    """Whether listening on this host can be reached from this machine alone."""
    address = _address(name.strip("[]"))
    return name.lower() == "localhost" if address is None else address.is_loopback


def _host_problem(parts: SplitResult) -> str | None:
    name = (parts.hostname or "").rstrip(".")
    if not name:
        return "has no host"
    address = _address(name)
    if address is None:
        if not _HOST.match(name):
            return "has a host that is no name and no address"
        if _NUMERIC_LABEL.match(name.rpartition(".")[2]):
            return "has a numeric host that is no address; write it as four numbers with dots"
    if name in _METADATA_NAMES or (address is not None and is_metadata(address)):
        return "is a cloud metadata address, which holds the machine's credentials: refused"
    if address is not None and (address.is_unspecified or address.is_multicast):
        return "is not the address of one server"
    return None


def is_metadata(address: IPAddress) -> bool:
    """Whether nothing may ever be sent there: it gives away the credentials of the machine."""
    return any(address in network for network in _METADATA)


def is_private(address: IPAddress) -> bool:
    """Whether it is no address of the public internet: this machine, its network, or nobody."""
    return any(address in network for network in _PRIVATE)


def written(name: str) -> bool:
    """Whether a host is itself the address, or `localhost`, so that no resolver decides where it is."""
    return name.lower() == "localhost" or _address(name) is not None


def reached(text: str) -> IPAddress:
    """The address that is reached at a numeric one, an IPv4 address inside an IPv6 one taken out of it. Raises
    ValueError for text that is no address."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped or address.sixtofour:
            return address.ipv4_mapped or address.sixtofour or address
        if address in _TRANSLATED:
            return IPv4Address(address.packed[-4:])
    return address


def _address(name: str) -> IPAddress | None:
    try:
        return reached(name)
    except ValueError:
        return None
