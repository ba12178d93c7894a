"""Which endpoint of a model: the one whose cache holds this conversation's prefix, unless it is busier than its peers.

Affinity is rendezvous hashing (Thaler and Ravishankar, 1998): an endpoint that joins or leaves moves only its share,
and that spreads over all the others. It takes a hash that mixes: under a linear one, such as a CRC, all ids that are of
one length stand in the same few orders.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from llm_inference_router.types import Endpoint, Message

_SLACK = 2  # requests that a cached prefix is worth: a cold prefill costs about as much as waiting behind this many
_PREFIX_CHARS = 512  # of each message
_PREFIX_MESSAGES = 8


def prefix_of(messages: Sequence[Message]) -> bytes:
    """What prompt caches match on: the beginning of the conversation, up to its first human turn.

    That turn always counts: behind one long system prompt every conversation would belong to the same endpoint.
    """
    taken: list[str] = []
    for message in messages[:_PREFIX_MESSAGES]:
        taken.append(message.text[:_PREFIX_CHARS])
        if message.role == "user":
            break
    return "\n".join(taken).encode()


def pick(endpoints: Sequence[Endpoint], outstanding: Mapping[str, int], prefix: bytes) -> Endpoint:
    """The endpoint for a request; `outstanding` counts running requests by endpoint id. `endpoints` is not empty."""
    if len(endpoints) == 1:
        return endpoints[0]
    least = min(outstanding.get(endpoint.id, 0) for endpoint in endpoints)
    near = [endpoint for endpoint in endpoints if outstanding.get(endpoint.id, 0) <= least + _SLACK]
    key = blake2b(prefix, digest_size=16).digest()
    return max(near, key=lambda endpoint: blake2b(endpoint.id.encode(), digest_size=8, key=key).digest())
