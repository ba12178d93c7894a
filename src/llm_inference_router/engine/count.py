"""How many tokens a Messages request has: as its provider counts them, or by the estimate that routing uses."""

import asyncio
from contextlib import suppress
from typing import Final

import msgspec

from llm_inference_router.backends.registry import relay
from llm_inference_router.engine.judge import Wishes, judge
from llm_inference_router.engine.runtime import Runtime
from llm_inference_router.errors import NotFound, RouterError
from llm_inference_router.signals.base import extract, view
from llm_inference_router.transport.base import TransportFault
from llm_inference_router.types import Caller, ChatRequest, Model

_PATIENCE_S: Final = 5.0
_MOST_BYTES: Final = 64 * 1024


class _Counted(msgspec.Struct):
    input_tokens: int


async def count(runtime: Runtime, request: ChatRequest, caller: Caller, wishes: Wishes) -> int:
    """The upstream is asked where the model that would answer speaks Messages itself: once, for a few seconds at most.
    Whatever goes wrong there, the estimate stands. Raises NotFound for a name that the caller may not use.
    """
    try:
        decision = judge(request, caller, wishes, runtime.snapshot(), runtime.clock)
    except NotFound:
        raise
    except RouterError:
        # Nobody can answer this at present, or at all; counting it is possible all the same.
        return extract(request, view(request)).prompt_tokens
    model = runtime.catalog.models[decision.chosen]
    return await _asked(runtime, request, model) or decision.signals.prompt_tokens


async def _asked(runtime: Runtime, request: ChatRequest, model: Model) -> int | None:
    backend = relay(model.backend, request.dialect)
    now = runtime.clock.monotonic()
    endpoint = runtime.endpoints.choose(model, frozenset(), request.messages, now) if backend else None
    if backend is None or endpoint is None:
        return None
    asked = msgspec.structs.replace(model, endpoints=(endpoint,))
    call = msgspec.structs.replace(backend.encode(request, asked).call, path="/messages/count_tokens")
    with suppress(TransportFault, TimeoutError, msgspec.DecodeError):
        async with asyncio.timeout(_PATIENCE_S):
            response = await runtime.transport(model).send(call, model, endpoint)
            try:
                body = await response.read(_MOST_BYTES)
                if response.status == 200:
                    return msgspec.json.decode(body, type=_Counted).input_tokens
            finally:
                response.close()
    return None
