"""OpenAI's published document judges all that clients are sent of Responses, Completions, Embeddings, model lists and
errors. Where it is known to be wrong, the exception stands here, with its reason.
"""

import asyncio
from base64 import b64encode
from collections.abc import Iterator
from struct import pack
from typing import Any

import orjson
import pytest

from tests.clients.replay import CHAT, replays
from tests.openapi.judge import faults
from tests.serving.router import Router, events, serving
from tests.serving.upstream import (
    STREAM_HEAD,
    Behaviour,
    Request,
    Upstream,
    completion,
    delta,
    event,
    fails,
    sends,
    upstream,
    whole,
)
from tests.support.responses import sent
from tests.traces.read import Trace, traces

RESPONSES, COMPLETIONS, EMBEDDINGS, MESSAGES = "/v1/responses", "/v1/completions", "/v1/embeddings", "/v1/messages"
_NO_CALL = "vllm-random/24-tools_named"  # what it answered is a fault, and no answer
ANSWERS = [one for path in (CHAT, MESSAGES, RESPONSES) for one in traces(path, ok=True) if one.id != _NO_CALL]
COMPLETED = traces(COMPLETIONS, ok=True)
PATHS = {CHAT: "messages", RESPONSES: "input", COMPLETIONS: "prompt", EMBEDDINGS: "input"}
# Said to be texts, yet the document's own examples of a response have `user: null`, OpenAI gives all three as null, and
# the official client's types say so.
_NULLS = {"user", "safety_identifier", "prompt_cache_key"}


def model_of(exchange: Trace) -> str:
    """Whose backend reads such an answer for a client of the Responses API."""
    if exchange.path == MESSAGES:
        return "claude"
    if exchange.path == RESPONSES:
        return "aimock"
    return "llama-cpp-python" if exchange.server == "aimock" else exchange.server  # aimock's model is OpenAI's


def wrong(answer: dict[str, Any]) -> list[str]:
    """The faults of a response object."""
    # The document has usage as an object alone, and null in all its examples of responses that have not ended.
    unsaid = _NULLS if answer["status"] in ("completed", "incomplete") else {*_NULLS, "usage"}
    return faults("Response", {name: one for name, one in answer.items() if one is not None or name not in unsaid})


def wrong_event(one: dict[str, Any]) -> list[str]:
    answer = one.get("response")
    if answer is None:
        return faults("ResponseStreamEvent", one)
    # Judged apart: the object by its own schema, with its exceptions, the event with one that has nothing to except.
    plain = {name: value for name, value in answer.items() if value is not None or name not in {*_NULLS, "usage"}}
    return wrong(answer) + faults("ResponseStreamEvent", {**one, "response": plain})


def ask(router: Router, server: str, **fields: Any) -> Any:
    body = {"model": "auto", "input": "Hello", **fields}
    return router.ask(RESPONSES, body, headers={"x-router-tags": f"server={server}"})


def said(router: Router, server: str, *, stream: bool, **fields: Any) -> list[str]:
    """The faults of an answer of the Responses API."""
    answer = ask(router, server, stream=stream, **fields)
    assert answer.status == 200, answer.body
    if not stream:
        return wrong(answer.json())
    found = sent(answer.body)
    assert found[-1]["type"] in ("response.completed", "response.incomplete")
    return [fault for one in found for fault in wrong_event(one)]


# --- Responses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exchange", ANSWERS, ids=[one.id for one in ANSWERS])
def test_a_response_and_its_events_are_as_openai_publishes_them(
    router: Router, backend: Upstream, exchange: Trace
) -> None:
    server = model_of(exchange)
    backend.behaviours[f"{server}-upstream"] = replays(exchange)
    assert said(router, server, stream=exchange.stream) == []


FUNCTION: dict[str, Any] = {"type": "function", "name": "f"}
SCHEMA = {"type": "json_schema", "name": "x", "schema": {"type": "object"}}
WISHES: list[dict[str, Any]] = [
    {"tools": [FUNCTION], "tool_choice": {"type": "function", "name": "f"}, "parallel_tool_calls": False},
    {"tools": [{**FUNCTION, "parameters": {"type": "object"}, "strict": True}], "tool_choice": "required"},
    {"tools": [FUNCTION, {"type": "web_search"}, {"type": "custom", "name": "c"}]},
    {"text": {"format": SCHEMA}},
    {"text": {"format": {"type": "json_object"}, "verbosity": "low"}},
    {"reasoning": {"effort": "low", "summary": "auto"}},
    {"instructions": "Be brief.", "metadata": {"a": "b"}, "user": "u", "safety_identifier": "s", "truncation": "auto"},
    {"temperature": 0.5, "top_p": 0.5, "max_output_tokens": 16, "service_tier": "flex", "store": False},
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("wishes", WISHES, ids=lambda one: ",".join(one))
def test_what_a_response_repeats_of_its_request_is_as_openai_publishes_it(
    router: Router, wishes: dict[str, Any], stream: bool
) -> None:
    assert said(router, "vllm", stream=stream, **wishes) == []


PATCHED = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "c", "arguments": '{"input":"x"}'}}


@pytest.mark.parametrize("stream", [False, True])
def test_the_call_of_a_custom_tool_is_as_openai_publishes_it(router: Router, backend: Upstream, stream: bool) -> None:
    message = {"role": "assistant", "content": None, "tool_calls": [PATCHED]}
    doc = completion() | {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    raw = STREAM_HEAD + event(delta(tool_calls=[PATCHED])) + event(delta(finish="tool_calls"))
    raw += event(b"[DONE]") + b"0\r\n\r\n"
    backend.behaviours["vllm-upstream"] = sends(raw if stream else whole(doc))
    assert said(router, "vllm", stream=stream, tools=[{"type": "custom", "name": "c"}]) == []


CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{"}}
CITED = {"type": "url_citation", "url_citation": {"start_index": 0, "end_index": 2, "url": "https://x", "title": "x"}}
LIKELY = {"content": [{"token": "Hi", "logprob": -1.0, "bytes": None, "top_logprobs": [{"token": "é", "logprob": -1}]}]}
ENDS: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "refused": ({"refusal": "No."}, "stop", {}),
    "cut": ({"content": "Hi"}, "length", {}),
    "cut within a call": ({"tool_calls": [CALL]}, "length", {}),
    "filtered": ({"content": "Hi"}, "content_filter", {}),
    "cited": ({"content": "Hi", "annotations": [CITED]}, "stop", {}),
    "reasoned": ({"reasoning_content": "hm", "content": "Hi"}, "stop", {}),
    "likely": ({"content": "Hi"}, "stop", LIKELY),
    "empty": ({"content": ""}, "stop", {}),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("end", ENDS)
def test_however_an_answer_ends_its_response_is_as_openai_publishes_it(
    router: Router, backend: Upstream, end: str, stream: bool
) -> None:
    message, finish, logprobs = ENDS[end]
    if stream:
        chunk = orjson.loads(delta("", **message))
        chunk["choices"][0]["logprobs"] = logprobs or None
        raw = STREAM_HEAD + event(orjson.dumps(chunk)) + event(delta(finish=finish)) + event(b"[DONE]") + b"0\r\n\r\n"
    else:
        doc = completion()
        choice = {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": finish}
        doc["choices"] = [{**choice, "logprobs": logprobs or None}]
        raw = whole(doc)
    backend.behaviours["vllm-upstream"] = sends(raw)
    assert said(router, "vllm", stream=stream) == []


@pytest.mark.parametrize("server", ["vllm", "claude", "aimock"])
def test_a_response_that_fails_underway_is_as_openai_publishes_it(
    router: Router, backend: Upstream, server: str
) -> None:
    kinds = {"vllm": "vllm/10-chat_stream", "claude": "vllm/38-messages_stream", "aimock": "vllm/36-responses_stream"}
    [exchange] = [one for one in ANSWERS if one.id == kinds[server]]
    half = exchange.body[: len(exchange.body) // 2]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    backend.behaviours[f"{server}-upstream"] = sends(head + half, then="close")
    found = sent(ask(router, server, stream=True).body)
    assert [one["type"] for one in found[-2:]] == ["error", "response.failed"]
    assert [fault for one in found for fault in wrong_event(one)] == []


# --- Completions and Embeddings ---------------------------------------------------------------------------------------


def wrong_completion(answer: dict[str, Any], *, last: bool) -> list[str]:
    judged = orjson.loads(orjson.dumps(answer))
    for choice in judged["choices"]:
        if not last and choice["finish_reason"] is None:
            choice["finish_reason"] = "stop"  # the document says it is always there; OpenAI names it once, at the end
        likely = choice.get("logprobs") or {}
        for name, instead in (("token_logprobs", 0.0), ("top_logprobs", {})):
            if likely.get(name) and likely[name][0] is None:
                likely[name][0] = instead  # with `echo` nothing comes before the first token, and OpenAI gives null
    return faults("CreateCompletionResponse", judged)


@pytest.mark.parametrize("exchange", COMPLETED, ids=[one.id for one in COMPLETED])
def test_a_completion_and_its_chunks_are_as_openai_publishes_them(
    router: Router, backend: Upstream, exchange: Trace
) -> None:
    backend.behaviours[f"{exchange.server}-upstream"] = replays(exchange)
    asked = orjson.loads(exchange.request) | {"model": "auto"}
    answer = router.ask(COMPLETIONS, asked, headers={"x-router-tags": f"server={exchange.server}"})
    if not exchange.stream:
        assert wrong_completion(answer.json(), last=True) == []
        return
    *found, end = events(answer)
    assert end == "[DONE]"
    assert [fault for one in found for fault in wrong_completion(one, last=False)] == []


@pytest.mark.parametrize("server", ["aimock", "claude"])
def test_a_completion_made_of_a_chat_is_as_openai_publishes_it(router: Router, backend: Upstream, server: str) -> None:
    path = MESSAGES if server == "claude" else CHAT
    for exchange in traces(path, ok=True):
        if exchange.server == "aimock" and b"tools" not in exchange.request:
            backend.behaviours[f"{server}-upstream"] = replays(exchange)
            asked = {"model": "auto", "prompt": "Hello", "stream": exchange.stream}
            answer = router.ask(COMPLETIONS, asked, headers={"x-router-tags": f"server={server}"})
            found = events(answer)[:-1] if exchange.stream else [answer.json()]
            assert found
            assert [fault for one in found for fault in wrong_completion(one, last=not exchange.stream)] == []


SERVERS = {
    "vllm": "vllm",
    "llama-cpp-python": "llamacpp",
    "transformers-serve": "openai_compatible",
    "aimock": "openai",
}
STATUSES = (400, 401, 404, 429, 500)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Upstream, Router]]:
    """A model of each server that embeds, and one to refuse with each status: what a refusal rests is its own."""
    with upstream() as server:

        def model(name: str, kind: str, capabilities: str) -> str:
            return (
                f"  - {{name: {name}, backend: {kind}, endpoints: [{{url: '{server.url}'}}], tier: small, "
                f"location: local, context: 8192, price: {{input: 1, output: 1}}, capabilities: [{capabilities}], "
                "health: none, breaker: none}\n"
            )

        models = [model(name, kind, "embeddings") for name, kind in SERVERS.items()]
        models += [model(f"refuses-{status}", "vllm", "") for status in STATUSES]
        names = [*SERVERS, *(f"refuses-{status}" for status in STATUSES)]
        routes = "".join(f"  r-{name}: {{models: [{name}]}}\n" for name in names)
        with serving(tmp_path_factory.mktemp("alone"), f"models:\n{''.join(models)}routes:\n{routes}") as router:
            yield server, router


def embeds(text: bool) -> Behaviour:
    async def behave(writer: asyncio.StreamWriter, request: Request) -> None:
        vector: Any = b64encode(pack("<2f", 0.5, 1.0)).decode() if text else [0.5, 1]
        writer.write(whole({"data": [{"embedding": vector}]}))
        await asyncio.sleep(0)

    return behave


@pytest.mark.parametrize("sends_text", [False, True])
@pytest.mark.parametrize("wanted", [None, "float", "base64"])
def test_vectors_are_as_openai_publishes_them(
    alone: tuple[Upstream, Router], wanted: str | None, sends_text: bool
) -> None:
    server, router = alone
    server.behaviours["vllm"] = embeds(sends_text)
    asked = {"model": "r-vllm", "input": "a", **({"encoding_format": wanted} if wanted else {})}
    answer = router.ask(EMBEDDINGS, asked).json()
    [item] = answer["data"]
    if wanted == "base64":
        # The document offers it in the request, and has no word for it in the answer.
        assert item["embedding"] == b64encode(pack("<2f", 0.5, 1.0)).decode()
        item["embedding"] = [0.5, 1.0]
    assert faults("CreateEmbeddingResponse", answer) == []


# --- model lists and errors -------------------------------------------------------------------------------------------


def test_the_model_list_and_each_of_its_models_are_as_openai_publishes_them(router: Router) -> None:
    listed = router.ask("/v1/models").json()
    assert listed["data"]
    assert faults("ListModelsResponse", listed) == []
    for one in listed["data"]:
        assert faults("Model", router.ask(f"/v1/models/{one['id']}").json()) == []


def error_of(answer: Any) -> dict[str, Any]:
    assert answer.status >= 400
    assert faults("ErrorResponse", answer.json()) == []
    found: dict[str, Any] = answer.json()["error"]
    return found


@pytest.mark.parametrize("path", PATHS)
def test_what_is_refused_in_each_dialect_is_told_as_openai_publishes_it(router: Router, path: str) -> None:
    said: dict[str, Any] = {"model": "auto", PATHS[path]: [{"role": "user", "content": "Hi"}] if path == CHAT else "Hi"}
    for body in (b"{", {}, {**said, PATHS[path]: 5}, {**said, "model": "nobody"}, b" " * 1_100_000):
        error_of(router.ask(path, body))
    error_of(router.ask(path, method="GET"))
    error_of(router.ask(path + "x", said))
    error_of(router.ask("/v1/models/nobody"))


@pytest.mark.parametrize("path", [CHAT, RESPONSES, COMPLETIONS])
@pytest.mark.parametrize("status", STATUSES)
def test_what_an_upstream_refuses_is_told_as_openai_publishes_it(
    alone: tuple[Upstream, Router], path: str, status: int
) -> None:
    server, router = alone
    server.behaviours[f"refuses-{status}"] = fails(status)
    said: Any = [{"role": "user", "content": "Hi"}] if path == CHAT else "Hi"
    for stream in (False, True):
        error_of(router.ask(path, {"model": f"r-refuses-{status}", PATHS[path]: said, "stream": stream}))


REFUSED = traces(EMBEDDINGS, ok=False)


@pytest.mark.parametrize("exchange", REFUSED, ids=[one.id for one in REFUSED])
def test_what_a_server_without_vectors_answers_becomes_an_error_of_ours(
    alone: tuple[Upstream, Router], exchange: Trace
) -> None:
    server, router = alone
    server.behaviours[exchange.server] = replays(exchange)
    answer = router.ask(EMBEDDINGS, {"model": f"r-{exchange.server}", "input": ["a", "b"]})
    error = error_of(answer)
    expected = (502, "upstream_not_found") if exchange.status == 404 else (503, "upstream_unavailable")
    assert (answer.status, error["code"]) == expected
