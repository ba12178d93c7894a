"""What a decision is made from, beside the configuration: one request, and what is known of the models right
now.
"""

from msgspec import Struct

from llm_inference_router.learning.length import Length
from llm_inference_router.types import Caller, Message, Signals
from llm_inference_router.vocabulary import DialectName


class Ask(Struct, frozen=True, gc=False):
    """One request as routing sees it.

    `ask` is the whole of the last thing a human asked and `messages` the whole conversation: rules may be
    safety rules, so they read everything, while signals looked at a bounded window. `quality` and `max_cost`
    (picodollars) are the caller's own wishes from the request headers.
    """

    id: str
    request_id: str
    at: int  # Unix milliseconds
    model: str  # the name asked for: a route's or a model's
    caller: Caller
    signals: Signals
    ask: str
    messages: tuple[Message, ...] = ()
    max_tokens: int | None = None
    quality: float | None = None
    max_cost: int | None = None
    choices: int = 1
    dialect: DialectName = "chat"
    own: frozenset[str] = frozenset()  # as of the request: what only a relay of its dialect can pass on


class Live(Struct, frozen=True):
    """How fast a model has lately been, over `samples` answers; endpoints are averaged by use. And how long its answers
    have been, once it has given any."""

    ttft_ms: float
    tokens_per_s: float
    samples: int
    length: Length | None = None
