"""The official openai client's `completions`: recorded answers of servers that have them, and of models that do not."""

from typing import Any

import openai
import orjson
import pytest
from openai import OpenAI
from openai.types import Completion

from tests.clients.replay import replays, upstream_answers
from tests.serving.router import Router, events, serving
from tests.serving.upstream import (
    STREAM_HEAD,
    Behaviour,
    Upstream,
    answers,
    chunked,
    completion,
    event,
    sends,
    upstream,
    whole,
)
from tests.traces.read import Trace, traces

PATH = "/v1/completions"
WHOLE = traces(PATH, stream=False, ok=True)
STREAMS = traces(PATH, stream=True, ok=True)

each_whole = pytest.mark.parametrize("exchange", WHOLE, ids=[one.id for one in WHOLE])
each_stream = pytest.mark.parametrize("exchange", STREAMS, ids=[one.id for one in STREAMS])


def wanted(exchange: Trace) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(exchange.request) | {"model": "auto"}
    return body | {"extra_headers": {"x-router-tags": f"server={exchange.server}"}}


def to(server: str, **fields: Any) -> dict[str, Any]:
    return {"model": "auto", "prompt": "Hello", "extra_headers": {"x-router-tags": f"server={server}"}, **fields}


def texts(got: list[dict[str, Any]]) -> dict[int, str]:
    found: dict[int, str] = {}
    for answer in got:
        for choice in answer["choices"]:
            found[choice["index"]] = found.get(choice["index"], "") + choice["text"]
    return found


def chunks(client: OpenAI, **fields: Any) -> tuple[list[dict[str, Any]], Any]:
    """A stream's chunks, each accepted by the client's own type, and its headers. A finish reason of null is what
    OpenAI itself sends before the last chunk, whatever the type says.
    """
    with client.completions.with_streaming_response.create(stream=True, **fields) as response:
        lines = [line.removeprefix("data: ") for line in response.iter_lines() if line]
        headers = response.headers
    assert lines[-1] == "[DONE]"
    got = [orjson.loads(line) for line in lines[:-1]]
    for one in got:
        judged = [choice | {"finish_reason": choice["finish_reason"] or "stop"} for choice in one["choices"]]
        Completion.model_validate(one | {"choices": judged}, strict=True)
    assert len({(one["id"], one["created"], one["model"]) for one in got}) == 1
    return got, headers


def test_the_traces_hold_every_server() -> None:
    servers = {"vllm", "llama-cpp-python", "transformers-serve"}
    assert {one.server for one in WHOLE} == {one.server for one in STREAMS} == servers
    assert len(WHOLE) == 5


# --- servers that have it ---------------------------------------------------------------------------------------------


@pytest.mark.proves(
    "completions",
    ["vllm", "llamacpp", "transformers"],
    ["text", "usage"],
    stream=False,
    evidence="recorded",
    client="openai (Python)",
)
@pytest.mark.proves("completions", "vllm", "logprobs", stream=False, evidence="recorded", client="openai (Python)")
@each_whole
def test_a_recorded_whole_answer_arrives_as_it_was_given(client: OpenAI, backend: Upstream, exchange: Trace) -> None:
    backend.behaviours[f"{exchange.server}-upstream"] = replays(exchange)
    response = client.completions.with_raw_response.create(**wanted(exchange))
    got, [given] = orjson.loads(response.content), upstream_answers(exchange)
    if not any((choice.get("logprobs") or {}).get("token_logprobs", [0])[0] is None for choice in got["choices"]):
        assert response.parse() == Completion.model_validate_json(response.content, strict=True)
    assert got["model"] == response.headers["x-router-model"] == exchange.server
    for choice in given["choices"]:
        choice.setdefault("logprobs", None)  # where a server leaves out what OpenAI always says
    assert {**got, "model": 0, "usage": 0} == {**given, "model": 0, "usage": 0}
    assert got["usage"]["total_tokens"] == given["usage"]["total_tokens"]
    assert "x-router-warnings" not in response.headers
    [request] = backend.requests
    assert request.head.startswith("POST /v1/completions ")
    assert request.body == orjson.loads(exchange.request) | {"model": f"{exchange.server}-upstream"}


@pytest.mark.proves(
    "completions",
    ["vllm", "llamacpp", "transformers"],
    ["text", "finish_reasons"],
    stream=True,
    evidence="recorded",
    client="openai (Python)",
)
@each_stream
def test_a_recorded_stream_arrives_as_it_was_given(client: OpenAI, backend: Upstream, exchange: Trace) -> None:
    backend.behaviours[f"{exchange.server}-upstream"] = replays(exchange)
    fields = wanted(exchange)
    fields.pop("stream")
    got, headers = chunks(client, **fields)
    given = upstream_answers(exchange)
    assert texts(got) == texts(given)
    assert got[0]["model"] == headers["x-router-model"] == exchange.server
    assert [c["finish_reason"] for one in got for c in one["choices"] if c["finish_reason"]] == ["length"]
    counted = [one["usage"]["completion_tokens"] for one in got if one.get("usage")]
    reported = exchange.server != "llama-cpp-python"
    assert counted == [3 if reported else 2], "asked for: the upstream's, or else our estimate"
    [request] = backend.requests
    assert request.body["stream_options"] == {"include_usage": True}


@each_stream
def test_usage_is_given_only_to_who_asked(client: OpenAI, backend: Upstream, exchange: Trace) -> None:
    backend.behaviours[f"{exchange.server}-upstream"] = replays(exchange)
    fields = {name: value for name, value in wanted(exchange).items() if name not in ("stream", "stream_options")}
    got, _ = chunks(client, **fields)
    assert not any(one.get("usage") for one in got)
    assert backend.requests[0].body["stream_options"] == {"include_usage": True}, "billing needs it all the same"


def test_a_whole_answer_has_usage_though_the_server_counts_nothing(client: OpenAI, backend: Upstream) -> None:
    [exchange] = [one for one in WHOLE if one.id == "vllm/30-completions"]
    uncounted = orjson.loads(exchange.body)
    del uncounted["usage"]
    backend.behaviours["vllm-upstream"] = sends(whole(uncounted))
    answer = client.completions.create(**to("vllm"))
    assert answer.usage is not None
    assert answer.usage.completion_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_the_default_of_max_tokens_is_openais_whoever_answers(client: OpenAI, backend: Upstream) -> None:
    [exchange] = [one for one in WHOLE if one.id == "vllm/30-completions"]
    backend.behaviours["vllm-upstream"] = replays(exchange)
    client.completions.create(**to("vllm", extra_body={"min_p": 0.1}))
    assert backend.requests[0].body == {
        "model": "vllm-upstream", "prompt": "Hello", "max_tokens": 16, "min_p": 0.1
    }  # fmt: skip


def test_what_a_server_refuses_even_when_it_is_empty_is_left_out(client: OpenAI, backend: Upstream) -> None:
    [exchange] = [one for one in WHOLE if one.server == "llama-cpp-python"]
    backend.behaviours["llama-cpp-python-upstream"] = replays(exchange)
    fields = to("llama-cpp-python", suffix=None, echo=False, best_of=3, n=2, max_tokens=5)
    response = client.completions.with_raw_response.create(**fields)
    assert backend.requests[0].body == {"model": "llama-cpp-python-upstream", "prompt": "Hello", "max_tokens": 5}
    assert response.headers["x-router-warnings"] == "warning;dropped;n, warning;dropped;best_of"


# --- models that chat -------------------------------------------------------------------------------------------------

CLAUDE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "stop_sequence": None,
    "content": [{"type": "thinking", "thinking": "Hm.", "signature": "s"}, {"type": "text", "text": "Hello there."}],
    "stop_reason": "max_tokens", "usage": {"input_tokens": 9, "output_tokens": 7},
}  # fmt: skip


@pytest.mark.proves(
    "completions",
    ["openai", "anthropic"],
    ["text", "usage", "sampling", "limits"],
    stream=False,
    evidence="scripted",
    client="openai (Python)",
)
@pytest.mark.parametrize("server", ["aimock", "claude"])
def test_a_chat_model_gets_the_prompt_as_one_message(client: OpenAI, backend: Upstream, server: str) -> None:
    if server == "claude":
        backend.behaviours["claude-upstream"] = sends(whole(CLAUDE))
    fields = to(server, stop=["\n"], temperature=0.5, best_of=2, extra_body={"min_p": 0.1})
    response = client.completions.with_raw_response.create(**fields)
    answer = response.parse()
    assert answer == Completion.model_validate_json(response.content, strict=True)
    assert (answer.object, answer.model, answer.choices[0].text) == ("text_completion", server, "Hello there.")
    assert answer.choices[0].finish_reason == ("length" if server == "claude" else "stop")
    assert answer.usage
    assert answer.usage.prompt_tokens == (9 if server == "claude" else 100)
    [request] = backend.requests
    assert [message["content"] for message in request.body["messages"]] == ["Hello"]
    assert request.body["temperature"] == 0.5
    assert request.body["max_tokens" if server == "claude" else "max_completion_tokens"] == 16
    assert not {"prompt", "best_of", "min_p"} & set(request.body)
    warnings = set(response.headers["x-router-warnings"].split(", "))
    assert warnings >= {"info;rewritten;prompt", "warning;dropped;best_of", "warning;dropped;min_p"}
    assert float(response.headers["x-router-cost-usd"]) > 0


@pytest.mark.parametrize("usage", [False, True])
def test_a_chat_stream_becomes_a_stream_of_text(client: OpenAI, backend: Upstream, usage: bool) -> None:
    options = {"stream_options": {"include_usage": True}} if usage else {}
    got, headers = chunks(client, **to("aimock", **options))
    assert texts(got) == {0: "Hello there. "}
    assert got[0]["id"].startswith("cmpl-")
    assert headers["x-router-warnings"] == "info;rewritten;prompt"
    finishes = [choice["finish_reason"] for one in got for choice in one["choices"]]
    assert finishes == [None, None, "stop"]
    assert [one["usage"]["completion_tokens"] for one in got if "usage" in one] == ([3] if usage else [])


def test_an_explained_stream_holds_the_decision(client: OpenAI, backend: Upstream) -> None:
    headers = {"x-router-tags": "server=aimock", "x-router-explain": "true"}
    got, _ = chunks(client, model="auto", prompt="Hello", extra_headers=headers)
    assert got[-1]["router"]["chosen"] == "aimock"


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"prompt": ["a", "b"]}, "several prompts"),
        ({"prompt": [1, 2, 3]}, "token numbers"),
        ({"prompt": [[1, 2], [3]]}, "several prompts, token numbers"),
        ({"suffix": "."}, "suffix"),
        ({"echo": True}, "echo"),
        ({"logprobs": 0}, "logprobs"),
        ({"max_tokens": 0}, "max_tokens of 0"),
    ],
)
def test_what_chat_cannot_say_is_refused_where_no_server_takes_it(
    client: OpenAI, backend: Upstream, fields: dict[str, Any], word: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(**{"model": "claude", "prompt": "x", **fields})
    assert caught.value.code == "unsupported_by_models"
    assert word in caught.value.message
    assert not backend.requests
    if word != "suffix":
        exchange = WHOLE[0]
        backend.behaviours["vllm-upstream"] = replays(exchange)
        client.completions.create(**{"model": "auto", "prompt": "x", **fields})
        assert [request.body["model"] for request in backend.requests] == ["vllm-upstream"]


def test_a_list_of_one_text_is_a_text(client: OpenAI, backend: Upstream) -> None:
    client.completions.create(**to("aimock", prompt=["Hello"]))
    assert backend.requests[0].body["messages"] == [{"role": "user", "content": "Hello"}]


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_has_the_shape_that_the_client_reads(client: OpenAI, backend: Upstream, stream: bool) -> None:
    refused = {"error": {"message": "no such thing", "type": "invalid_request_error", "code": "odd"}}
    backend.behaviours["vllm-upstream"] = sends(whole(refused, 400))
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(**to("vllm", stream=stream))
    assert (caught.value.code, caught.value.type) == ("odd", "invalid_request_error")


# --- fallback and cut streams -----------------------------------------------------------------------------------------


def two(url: str) -> str:
    """A server with completions, and a chat model behind it."""
    kinds = (("base", "vllm"), ("chat", "openai"))
    models = "\n".join(
        f"  - {{name: {name}, backend: {kind}, endpoints: [{{url: '{url}'}}], tier: small, location: cloud, "
        "context: 32768, price: {input: 1, output: 2}, health: none, breaker: none, "
        "timeouts: {connect: 500ms, first_token: 2s, idle: 1s, total: 20s}}"
        for name, kind in kinds
    )
    route = "  auto: {models: [base, chat], policy: {kind: fixed}, on_cut_stream: continue, retry: {budget: 1}}"
    return f"models:\n{models}\nroutes:\n{route}\n"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with upstream() as server, serving(tmp_path_factory.mktemp("pair"), two(server.url)) as router:
        yield server, router


def cut(text: str) -> Behaviour:
    parts = [
        event(orjson.dumps({"id": "cmpl-7", "object": "text_completion", "created": 7, "model": "x",
                            "choices": [{"index": 0, "text": word, "logprobs": None, "finish_reason": None}]}))
        for word in text.split("|")
    ]  # fmt: skip
    return sends(STREAM_HEAD + b"".join(parts) + chunked(b": nothing more\n\n"), then="reset")


def test_a_failed_completion_falls_back_to_a_chat_model(pair: tuple[Upstream, Router]) -> None:
    server, router = pair
    server.behaviours = {"base": sends(whole({"error": {"message": "no"}}, 500))}
    with OpenAI(base_url=router.url + "/v1", api_key="x", max_retries=0) as client:
        response = client.completions.with_raw_response.create(model="auto", prompt="Hello")
    assert response.parse().choices[0].text == "Hello there."
    assert response.headers["x-router-model"] == "chat"
    assert response.headers["x-router-warnings"] == "info;rewritten;prompt"


def test_a_cut_completion_is_finished_by_a_chat_model_in_the_same_stream(pair: tuple[Upstream, Router]) -> None:
    server, router = pair
    said = "Once upon a time there lived a king who had| three daughters, and the"
    rest = "who had three daughters, and the youngest was kind."
    server.behaviours = {"base": cut(said), "chat": answers(rest)}
    wanted = {"model": "auto", "prompt": "Tell", "max_tokens": 100, "stream": True}
    answer = router.ask(PATH, wanted | {"stream_options": {"include_usage": True}})
    *got, end = events(answer)
    assert end == "[DONE]"
    assert "".join(texts(got).values()).rstrip() == said.replace("|", "") + " youngest was kind."
    assert {(one["id"], one["created"], one["object"]) for one in got} == {("cmpl-7", 7, "text_completion")}
    assert got[-1]["usage"]["completion_tokens"] > 0


def test_scores_of_tokens_are_not_continued_by_another_model(pair: tuple[Upstream, Router]) -> None:
    server, router = pair
    server.behaviours = {"base": cut("Once upon a time| there"), "chat": answers("there was")}
    server.requests.clear()
    with OpenAI(base_url=router.url + "/v1", api_key="x", max_retries=0) as client:
        stream = client.completions.create(model="base", prompt=[1, 2], stream=True)
        with pytest.raises(openai.APIError):
            list(stream)
    assert not server.asked("chat")


def test_usage_and_cost_are_recorded(pair: tuple[Upstream, Router]) -> None:
    server, router = pair
    body = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "x",
            "choices": [{"index": 0, "text": "four letters", "finish_reason": "length"}]}  # fmt: skip
    server.behaviours = {"base": sends(whole(body))}
    answer = router.ask(PATH, {"model": "base", "prompt": [5] * 40})
    assert answer.status == 200
    cost = 1e-6 * (40 + 4 + 3) + 2e-6 * 3  # as estimated: numbers, a message's frame, four characters a token
    assert float(answer.headers["x-router-cost-usd"]) == pytest.approx(cost)
    server.behaviours = {"base": sends(whole(body | {"usage": completion()["usage"]}))}
    answer = router.ask(PATH, {"model": "base", "prompt": "x"})
    assert float(answer.headers["x-router-cost-usd"]) == pytest.approx(100e-6 + 20e-6)
