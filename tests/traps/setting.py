"""Where traps are sprung: the router as a process, a server of one kind behind it, and a spare that answers."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from llm_inference_router.backends.base import Answer, Backend
from llm_inference_router.dialects.assemble import Assembly
from llm_inference_router.dialects.chat import parse
from llm_inference_router.types import Fault
from tests.backends import wire
from tests.clients.replay import replays
from tests.serving.router import Answer as Reply
from tests.serving.router import Router, events, serving
from tests.serving.upstream import Behaviour, Request, Upstream, answers, upstream
from tests.traces.read import Trace, trace

NO_MORE: Mapping[str, str] = {}
CAPABILITIES = "[tools, parallel_tools, json_schema, vision, logprobs]"


@dataclass
class Setting:
    """Route `auto` tries `first`, of the kind under test, and then `spare`; the model `first` has nobody behind it.
    `upstream`: what the server itself calls its model.
    """

    backend: Upstream
    router: Router
    upstream: str

    def behaves(self, behaviour: Behaviour) -> None:
        self.backend.behaviours[self.upstream] = behaviour

    def fresh(self) -> None:
        self.backend.requests.clear()
        self.backend.behaviours.pop(self.upstream, None)

    def replays(self, name: str) -> Trace:
        exchange = trace(name)
        self.behaves(replays(exchange))
        return exchange

    def asked(self) -> list[Request]:
        """What the server under test was asked since the last call."""
        found = self.backend.asked(self.upstream)
        self.backend.requests.clear()
        return found

    def ask(self, model: str = "auto", **fields: Any) -> Reply:
        return self.router.chat(model, **fields)


@contextmanager
def setting(
    folder: Path, kind: str, *, upstream_model: str = "first", extra: str = "", able: Mapping[str, str] = NO_MORE
) -> Iterator[Setting]:
    """`able`: more models of this kind, in no route, each with its capabilities."""
    limits = "timeouts: {connect: 2s, first_token: 5s, idle: 5s, total: 30s}, breaker: none"
    with upstream(spare=answers("From the spare.")) as backend:
        common = f"endpoints: [{{url: '{backend.url}'}}], price: {{input: 1, output: 2}}, {limits}"
        config = (
            "models:\n"
            f"  - {{name: first, backend: {kind}, api_key: sk-first, tier: small, location: local, context: 1024, "
            f"upstream_model: {upstream_model}, "
            f"capabilities: {CAPABILITIES}, {extra or 'health: none'}, {common}}}\n"
            "  - {name: spare, backend: openai_compatible, tier: large, location: cloud, context: 65536, "
            f"capabilities: {CAPABILITIES}, health: none, {common}}}\n"
            + "".join(
                f"  - {{name: {name}, backend: {kind}, api_key: sk-{name}, tier: small, location: local, "
                f"context: 1024, capabilities: [{capabilities}], health: none, {common}}}\n"
                for name, capabilities in able.items()
            )
            + "routes:\n  auto: {models: [first, spare], policy: {kind: fixed}}\n"
        )
        with serving(folder, config) as router:
            yield Setting(backend, router, upstream_model)


def text_of(reply: Reply) -> str:
    """What an answer says, whole or streamed."""
    if reply.headers["content-type"].startswith("text/event-stream"):
        chunks = [one for one in events(reply) if isinstance(one, dict)]
        return "".join(c["delta"].get("content") or "" for one in chunks for c in one["choices"])
    return str(reply.json()["choices"][0]["message"]["content"])


def has_fallen_back(reply: Reply) -> None:
    assert reply.status == 200, reply.body
    assert reply.headers["x-router-model"] == "spare"
    assert text_of(reply).strip() == "From the spare."


def is_error(reply: Reply, status: int, code: str | None = None) -> dict[str, Any]:
    """The `error` of an answer in OpenAI's shape."""
    assert reply.status == status, (reply.status, reply.body)
    error: dict[str, Any] = reply.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    assert isinstance(error["code"], str)
    assert code is None or error["code"] == code
    return error


# --- without a process ------------------------------------------------------------------------------------------------


def whole(backend: Backend, name: str) -> Answer:
    """A recorded whole answer, valid for the official client."""
    answer = backend.answer(trace(name).body, wire.rendering())
    assert isinstance(answer, Answer), answer
    wire.completion(answer.body)
    return answer


def fault(backend: Backend, name: str) -> Fault:
    """A recorded error answer."""
    exchange = trace(name)
    return backend.fault(exchange.status, exchange.headers, exchange.body)


def stream(backend: Backend, data: bytes, *, include_usage: bool = True) -> tuple[Assembly, list[dict[str, Any]]]:
    """A stream's state at its end, and the chunks that the client was sent, each valid for the official client."""
    found = wire.pieces(backend, [data], include_usage=include_usage)
    assembly, sent = wire.assembled(found, include_usage=include_usage)
    assert assembly.complete, assembly.truncation
    wire.sent_chunks(sent)
    return assembly, [orjson.loads(frame[6:]) for frame in sent.split(b"\n\n")[:-2]]


def encoded(backend: Backend, kind: str, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What is sent for these fields, and the warnings."""
    raw = {"model": "auto", "messages": [{"role": "user", "content": "hi"}], **fields}
    made = backend.encode(parse(orjson.dumps(raw)), wire.model(kind))
    return orjson.loads(made.call.body), made.warnings
