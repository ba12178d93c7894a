"""One try: what one endpoint is asked, and what has come of its answer."""

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct, structs

from llm_inference_router.backends.base import Answer, Backend, Rendering, provider_at
from llm_inference_router.backends.registry import relay
from llm_inference_router.dialects.assemble import Assembly, added, estimate
from llm_inference_router.dialects.base import Head, Writer
from llm_inference_router.dialects.continuation import Continuing, Seam, continued, whole
from llm_inference_router.dialects.custom import custom_names
from llm_inference_router.dialects.limit import limited
from llm_inference_router.dialects.spoken import SPOKEN
from llm_inference_router.dialects.usage import usage_as_chat, usage_as_responses
from llm_inference_router.engine.deadline import Deadline
from llm_inference_router.engine.runtime import Runtime
from llm_inference_router.engine.sink import Sink
from llm_inference_router.engine.stream import Stream
from llm_inference_router.resilience.plan import Try
from llm_inference_router.routing.attached import prompt_tokens
from llm_inference_router.transport.base import Response, TransportFault
from llm_inference_router.types import ChatRequest, Decision, Fault, Usage

_ERROR_BYTES = 64 * 1024
_ANSWER_BYTES = 16 * 1024 * 1024  # 4 million tokens; an upstream that sends more is ill
_USAGE = {"chat": usage_as_chat, "completions": usage_as_chat, "responses": usage_as_responses}
_STOPPED = frozenset({"cancelled", "hedged"})  # by us: the upstream may have worked on it
_SLOWEST_TOKENS_PER_S = 10.0  # the head of a whole answer comes with its last token: its limit grows by this pace


class Part(Struct, frozen=True):
    """What the client of a stream was given before it broke: text, what it used, who wrote it down."""

    text: str
    usage: Usage | None
    writer: Writer


class Trial(Struct, eq=False):
    """After `run`, or while it streams, `answer` or `assembly` holds what came. `part`: the answer goes on there;
    `turn`: of the endpoint."""

    runtime: Runtime
    request: ChatRequest
    decision: Decision
    tried: Try
    turn: int
    part: Part | None
    started: bool = False
    lost: bool = False  # another try answered first
    warnings: tuple[str, ...] = ()
    answer: Answer | None = None
    assembly: Assembly | None = None
    _sent: bool = False
    _deadline: Deadline | None = None

    async def run(
        self, sink: Sink, begin: Callable[[], Awaitable[None]], *, remaining: float, keep_text: bool
    ) -> Fault | None:
        """None when the answer is complete. `begin` is awaited before the first content of a stream; `remaining` is
        seconds. Raises asyncio.CancelledError and ClientStalled."""
        model, endpoint = self.tried.model, self.tried.endpoint
        prefilled = self.part is not None and "prefill" in model.capabilities
        request = continued(self.request, self.part.text, prefilled) if self.part else self.request
        relayed = relay(model.backend, request.dialect) if self.part is None else None
        backend = relayed or self.runtime.backends[model.name]
        if relayed is None:
            request = limited(request, model.max_output)
        asked = model if len(model.endpoints) < 2 else structs.replace(model, endpoints=(endpoint,))
        encoded = backend.encode(request, asked)
        self.warnings = encoded.warnings if relayed else (*request.warnings, *encoded.warnings)
        deadline = self._deadline = Deadline(model.timeouts, remaining, self._head_limit())
        try:
            with deadline:
                response = await self.runtime.transport(model).send(encoded.call, model, endpoint, self._go)
                try:
                    if not 200 <= response.status < 300:
                        return backend.fault(response.status, response.headers, await _beginning(response))
                    if not self.request.stream:
                        return await self._whole(response, backend)
                    assembly = self.assembly = self._assembly(keep_text, relayed is not None)
                    decoder = backend.decoder(self._rendering())
                    if self.part is not None:
                        known = self.part.writer.head
                        decoder = Continuing(decoder, Seam(self.part.text, prefilled), known.id, known.created)
                    fault = await Stream(decoder, assembly, sink, deadline, begin).run(response)
                    return fault or self._joined()
                finally:
                    if self.assembly is None or self.assembly.complete:
                        response.close(finished=self.assembly is not None)
                    else:
                        response.discard()
        except TransportFault as error:
            if self.assembly is not None and self.assembly.complete:
                # The finish reason came, only what may follow it did not: the answer is complete.
                return self._joined()
            return error.fault

    @property
    def client_s(self) -> float:
        """Seconds for which the client, and not the upstream, was waited for."""
        return self._deadline.client_s if self._deadline is not None else 0.0

    @property
    def finish_reason(self) -> str | None:
        """The upstream's."""
        if self.assembly is not None:
            return self.assembly.finish_reason
        return self.answer.finish_reason if self.answer else None

    @property
    def writer(self) -> Writer | None:
        """Who writes the stream that the client is given, once one has begun."""
        if self.assembly is not None:
            return self.assembly.writer
        return self.part.writer if self.part else None

    @property
    def text(self) -> str:
        """All that was said to the client; of a stream by earlier tries as well, and only where it is kept."""
        if self.answer is not None:
            return self.answer.text
        return (self.part.text if self.part else "") + (self.assembly.text if self.assembly else "")

    def so_far(self) -> Part:
        """What another try is to go on from."""
        assembly, before = self.assembly, self.part
        assert assembly is not None
        usage = before.usage if before else None
        if assembly.begun or assembly.usage is not None:
            usage = added(usage, assembly.billed())
        return Part(self.text, usage, assembly.writer)

    def body(self) -> dict[str, Any]:
        """The whole answer, in the client's dialect."""
        answer, dialect = self.answer, self.request.dialect
        assert answer is not None
        told = _USAGE.get(answer.dialect)
        if told is not None and answer.usage is None and (usage := self.usage(None)) is not None:
            answer.body["usage"] = told(usage)  # OpenAI always sends it, and clients read it unasked
        if answer.dialect == dialect:
            return answer.body
        return SPOKEN[dialect].whole(answer.body, self.request, self._head(), answer.said)

    def usage(self, fault: Fault | None) -> Usage | None:
        """What it used, as reported or estimated; None when it produced nothing."""
        prompt = self._prompt_tokens()
        if self.answer is not None:
            return self.answer.usage or estimate(prompt, self.answer.text_chars)
        if self.assembly is not None and (self.assembly.begun or self.assembly.usage or fault is None):
            return self.assembly.billed()
        return estimate(prompt, 0) if self._sent and fault is not None and fault.kind in _STOPPED else None

    def _go(self) -> None:
        self._sent = True

    async def _whole(self, response: Response, backend: Backend) -> Fault | None:
        # No limit of its own for the body: that of the head, which came with all its tokens, stands.
        result = backend.answer(await response.read(_ANSWER_BYTES), self._rendering())
        if isinstance(result, Fault):
            return result
        self.answer = result
        return None

    def _joined(self) -> Fault | None:
        """A complete rest must also fit what it goes on from."""
        return whole(self.text, self.request) if self.part else None

    def _head_limit(self) -> float:
        model = self.tried.model
        limit = model.timeouts.first_token
        if self.request.stream:
            return limit
        expected = self.request.max_tokens or self.decision.signals.output_tokens.p90
        if model.max_output is not None and model.max_output < expected:
            expected = model.max_output
        return limit + expected / _SLOWEST_TOKENS_PER_S

    def _head(self) -> Head:
        """What its answer is known by, where the upstream says nothing else."""
        decision = self.decision
        name = decision.id.replace("-", "")
        return Head(name, decision.at // 1000, self.tried.model.name, self._prompt_tokens())

    def _prompt_tokens(self) -> int:
        return prompt_tokens(self.tried.model, self.decision.signals)

    def _rendering(self) -> Rendering:
        head = self._head()
        return Rendering(
            model=head.model,
            id="chatcmpl-" + head.id,
            created=head.created,
            include_usage=self.request.include_usage,
            prompt_tokens=head.prompt_tokens,
            choices=self.request.choices,
            provider=provider_at(self.tried.endpoint.url),
            source=self.request.source,
            custom_tools=custom_names(self.request.body) if self.request.tools else frozenset(),
        )

    def _assembly(self, keep_text: bool, relayed: bool) -> Assembly:
        part = self.part
        return Assembly(
            part.writer if part else SPOKEN[self.request.dialect].writer(self.request, self._head()),
            prompt_tokens=self._prompt_tokens(),
            keep_text=keep_text,
            spent=part.usage if part else None,
            relayed=relayed,
        )


async def _beginning(response: Response) -> bytes:
    """As much of an error's body as tells what it is; servers that echo the request send megabytes."""
    parts = bytearray()

    def take(data: bytes) -> bool:
        parts.extend(data)
        return len(parts) < _ERROR_BYTES

    await response.pump(take)
    return bytes(parts[:_ERROR_BYTES])
