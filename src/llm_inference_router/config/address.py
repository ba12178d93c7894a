"""Addresses in a config: what may be called, and what must never be."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?\Z")
_NUMERIC_LABEL = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)\Z")
_METADATA = frozenset({"169.254.169.254", "169.254.170.2", "100.100.100.200", "fd00:ec2::254"})
_METADATA_NAMES = frozenset({"metadata.google.internal", "metadata"})
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
    if name in _METADATA_NAMES or (address is not None and str(address) in _METADATA):
        return "is a cloud metadata address, which holds the machine's credentials: refused"
    if address is not None and (address.is_unspecified or address.is_multicast):
        return "is not the address of one server"
    return None


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(name)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
