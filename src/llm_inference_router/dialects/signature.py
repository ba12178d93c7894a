"""Signatures of reasoning, marked with who made them.

A provider signs the reasoning of its models, and takes back only what it signed itself. A conversation that goes
through a router changes its provider, so every signature (and every redacted block, which is as opaque) that leaves for
a client is tagged, and what comes back goes only to where it came from.

    llmr1.<short hash of the provider>.<original>

A provider is the host of the endpoint that answered; its hash shows no address. What no provider signed, but a dialect
wants signed, carries a tag with an empty original, and is given to nobody.
"""

from functools import lru_cache
from hashlib import sha256
from typing import Final

_PREFIX: Final = "llmr1."
_HASH: Final = 10  # characters; enough to tell the providers of one configuration apart


@lru_cache(maxsize=256)
def mark(provider: str) -> str:
    """What stands for a provider in a tag."""
    return sha256(provider.encode()).hexdigest()[:_HASH]


def tag(signature: str, provider: str) -> str:
    return f"{_PREFIX}{mark(provider)}.{signature}"


def untag(tagged: str) -> tuple[str, str] | None:
    """The mark of the provider and the original; None for what was never tagged. A signature that went through two
    routers has two tags, of which this takes the outer one."""
    if not tagged.startswith(_PREFIX):
        return None
    name, dot, original = tagged[len(_PREFIX) :].partition(".")
    return (name, original) if dot and len(name) == _HASH else None


def returned(signature: str, provider: str) -> str | None:
    """What may be sent to this provider, which signs its reasoning: its own signature, or one from before the router
    was in use. None for another provider's, and for what nobody signed."""
    found = untag(signature)
    if found is None:
        return signature or None
    name, original = found
    return original if original and name == mark(provider) else None
