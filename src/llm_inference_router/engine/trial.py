"""One try: what one endpoint is asked, and what has come of its answer."""

from collections.abc import Awaitable, Callable

from msgspec import Struct

from llm_inference_router.backends.base import Answer, Backend, Rendering
from llm_inference_router.dialects.assemble import Assembly, added, estimate
from llm_inference_router.dialects.continuation import Continuing, Seam, continued, whole
from llm_inference_router.engine.deadline import Deadline
from llm_inference_router.engine.runtime import Runtime
from llm_inference_router.engine.sink import Sink
from llm_inference_router.engine.stream import Stream
from llm_inference_router.resilience.plan import Try
from llm_inference_router.transport.base import Response, TransportFault
from llm_inference_router.types import ChatRequest, Decision, Fault, Usage

_ERROR_BYTES = 64 * 1024
_ANSWER_BYTES = 64 * 1024 * 1024
_STOPPED = frozenset({"cancelled", "hedged"})  # by us: the upstream may have worked on it
_SLOWEST_TOKENS_PER_S = 10.0  # the head of a whole answer comes with its last token: its limit grows by this pace


class Part(Struct, frozen=True):
    """What the client of a stream was given before it broke: text, what it used, id and time of the answer's head."""

    text: str
    usage: Usage | None
    head: tuple[str, int]


class Trial:
    """After `run`, or while it streams, `answer` or `assembly` holds what came. `part`: the answer goes on there."""

    def __init__(
        self, runtime: Runtime, request: ChatRequest, decision: Decision, tried: Try, part: Part | None
    ) -> None:
        self._runtime = runtime
        self._request = request
        self._decision = decision
        self._part = part
        self.tried = tried
        self.lost = False  # another try answered first
        self.warnings: tuple[str, ...] = ()
        self.answer: Answer | None = None
        self.assembly: Assembly | None = None

    async def run(
        self, sink: Sink, begin: Callable[[], Awaitable[None]], *, remaining: float, keep_text: bool
    ) -> Fault | None:
        """None when the answer is complete. `begin` is awaited before the first content of a stream; `remaining` is
        seconds. Raises asyncio.CancelledError and ClientStalled."""
        model, endpoint = self.tried.model, self.tried.endpoint
        prefilled = self._part is not None and "prefill" in model.capabilities
        request = continued(self._request, self._part.text, prefilled) if self._part else self._request
        backend = self._runtime.backends[model.name]
        encoded = backend.encode(request, model)
        self.warnings = encoded.warnings
        deadline = Deadline(model.timeouts, remaining, self._head_limit())
        try:
            async with deadline:
                response = await self._runtime.transport(model).send(encoded.call, model, endpoint)
                try:
                    if not 200 <= response.status < 300:
                        return backend.fault(response.status, response.headers, await _beginning(response))
                    if not self._request.stream:
                        return await self._whole(response, backend)
                    rendering = self._rendering()
                    assembly = self.assembly = self._assembly(rendering, keep_text)
                    decoder = backend.decoder(rendering)
                    if self._part is not None:
                        decoder = Continuing(decoder, Seam(self._part.text, prefilled), *self._part.head)
                    fault = await Stream(decoder, assembly, sink, deadline, begin).run(response)
                    return fault or self._joined()
                finally:
                    response.close(finished=self.assembly is not None and self.assembly.complete)
        except TransportFault as error:
            if self.assembly is not None and self.assembly.complete:
                # The finish reason came, only what may follow it did not: the answer is complete.
                return self._joined()
            return error.fault

    @property
    def finish_reason(self) -> str | None:
        """The upstream's."""
        if self.assembly is not None:
            return self.assembly.finish_reason
        return self.answer.finish_reason if self.answer else None

    @property
    def text(self) -> str:
        """All that the client was given of a stream, by earlier tries as well, where it is kept."""
        return (self._part.text if self._part else "") + (self.assembly.text if self.assembly else "")

    def part(self) -> Part:
        """What another try is to go on from."""
        assembly, before = self.assembly, self._part
        assert assembly is not None
        usage = before.usage if before else None
        if assembly.begun or assembly.usage is not None:
            usage = added(usage, assembly.billed())
        return Part(self.text, usage, before.head if before else assembly.head)

    def usage(self, fault: Fault | None) -> Usage | None:
        """What it used, as reported or estimated; None when it produced nothing."""
        prompt = self._decision.signals.prompt_tokens
        if self.answer is not None:
            return self.answer.usage or estimate(prompt, self.answer.text_chars)
        if self.assembly is not None and (self.assembly.begun or self.assembly.usage or fault is None):
            return self.assembly.billed()
        return estimate(prompt, 0) if fault is not None and fault.kind in _STOPPED else None

    async def _whole(self, response: Response, backend: Backend) -> Fault | None:
        # No limit of its own for the body: that of the head, which came with all its tokens, stands.
        result = backend.answer(await response.read(_ANSWER_BYTES), self._rendering())
        if isinstance(result, Fault):
            return result
        self.answer = result
        return None

    def _joined(self) -> Fault | None:
        """A complete rest must also fit what it goes on from."""
        return whole(self.text, self._request) if self._part else None

    def _head_limit(self) -> float:
        model = self.tried.model
        limit = model.timeouts.first_token
        if self._request.stream:
            return limit
        expected = self._request.max_tokens or self._decision.signals.output_tokens.p90
        return limit + min(expected, model.max_output or expected) / _SLOWEST_TOKENS_PER_S

    def _rendering(self) -> Rendering:
        decision = self._decision
        return Rendering(
            model=self.tried.model.name,
            id="chatcmpl-" + decision.id.replace("-", ""),
            created=decision.at // 1000,
            include_usage=self._request.include_usage,
            prompt_tokens=decision.signals.prompt_tokens,
            choices=self._request.choices,
        )

    def _assembly(self, rendering: Rendering, keep_text: bool) -> Assembly:
        return Assembly(
            model=rendering.model,
            id=rendering.id,
            created=rendering.created,
            include_usage=rendering.include_usage,
            prompt_tokens=rendering.prompt_tokens,
            keep_text=keep_text,
            spent=self._part.usage if self._part else None,
        )


async def _beginning(response: Response) -> bytes:
    """As much of an error's body as tells what it is; servers that echo the request send megabytes."""
    parts = bytearray()

    def take(data: bytes) -> bool:
        parts.extend(data)
        return len(parts) < _ERROR_BYTES

    await response.pump(take)
    return bytes(parts[:_ERROR_BYTES])
