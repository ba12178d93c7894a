"""The official openai client's `embeddings` against the router as a process."""

import asyncio
from base64 import b64encode
from collections.abc import Iterator
from struct import pack
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from tests.serving.router import Router, serving
from tests.serving.upstream import Behaviour, Request, Upstream, fails, hangs, sends, upstream, whole

VECTORS = [[0.5, -0.25, 0.125], [1.0, 0.0, 2.0]]
LIMITS = "health: none, breaker: none, timeouts: {connect: 500ms, first_token: 1s, idle: 1s, total: 5s}"


def config(url: str) -> str:
    """Two models of one space with a stranger between them, a chat model, and one whose vectors are simulated."""

    def embedder(name: str, upstream_model: str, price: float) -> str:
        return (
            f"  - {{name: {name}, backend: vllm, endpoints: [{{url: '{url}'}}], upstream_model: {upstream_model}, "
            f"tier: small, location: local, context: 512, price: {{input: {price}}}, capabilities: [embeddings], "
            f"{LIMITS}}}"
        )

    chat = (
        f"  - {{name: chat, backend: vllm, endpoints: [{{url: '{url}'}}], tier: small, location: local, context: 8192, "
        f"price: {{input: 1, output: 2}}, {LIMITS}}}"
    )
    models = [
        chat,
        embedder("first", "e5", 0.02),
        embedder("stranger", "bge", 0.01),
        embedder("twin", "e5", 0.04),
        "  - {name: sim, backend: simulated, tier: small, location: local, context: 8192, capabilities: [embeddings]}",
    ]
    listed = "\n".join(models)
    return (
        f"models:\n{listed}\nroutes:\n  auto: {{models: [chat, first, stranger, twin]}}\n  talk: {{models: [chat]}}\n"
    )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Upstream, Router]]:
    with upstream() as server, serving(tmp_path_factory.mktemp("vectors"), config(server.url)) as router:
        yield server, router


@pytest.fixture
def server(running: tuple[Upstream, Router]) -> Upstream:
    running[0].requests.clear()
    running[0].behaviours = {"e5": embeds(), "bge": embeds()}
    return running[0]


@pytest.fixture
def router(running: tuple[Upstream, Router], server: Upstream) -> Router:
    return running[1]


@pytest.fixture
def client(router: Router) -> Iterator[OpenAI]:
    with OpenAI(base_url=router.url + "/v1", api_key="x", max_retries=0) as made:
        yield made


def embeds(obeys: bool = True, usage: bool = True, count: int | None = None) -> Behaviour:
    """Answers with VECTORS; without `obeys` always with the format that was not asked for."""

    async def behave(writer: asyncio.StreamWriter, request: Request) -> None:
        assert request.head.startswith("POST /v1/embeddings ")
        given = request.body["input"]
        inputs = given if isinstance(given, list) and not isinstance(given[0], int) else [given]
        text = (request.body.get("encoding_format") == "base64") is obeys
        data = [
            {
                "object": "embedding",
                "index": index,
                "embedding": b64encode(pack("<3f", *VECTORS[index % 2])).decode() if text else VECTORS[index % 2],
            }
            for index in range(len(inputs) if count is None else count)
        ]
        body: dict[str, Any] = {"object": "list", "model": request.body["model"], "data": data}
        if usage:
            body["usage"] = {"prompt_tokens": 12, "total_tokens": 12}
        writer.write(whole(body))

    return behave


@pytest.mark.proves("embeddings", "vllm", ["encodings", "usage"], evidence="scripted", client="openai (Python)")
@pytest.mark.parametrize("obeys", [True, False])
@pytest.mark.parametrize("wanted", [openai.omit, "float", "base64"])
def test_the_client_gets_its_vectors_whatever_it_asked_for_and_whatever_was_sent(
    client: OpenAI, server: Upstream, obeys: bool, wanted: Any
) -> None:
    server.behaviours["e5"] = embeds(obeys)
    answer = client.embeddings.create(model="auto", input=["one", "two"], encoding_format=wanted)
    got: list[Any] = [one.embedding for one in answer.data]
    if wanted == "base64":
        assert got == [b64encode(pack("<3f", *one)).decode() for one in VECTORS]
    else:
        assert got == VECTORS
    assert [one.index for one in answer.data] == [0, 1]
    assert (answer.model, answer.object, answer.usage.prompt_tokens) == ("first", "list", 12)
    [request] = server.requests
    assert request.body["model"] == "e5"
    assert request.body["encoding_format"] == ("float" if wanted == "float" else "base64"), "the client's own default"


def test_the_asynchronous_client_gets_the_same(router: Router, server: Upstream) -> None:
    async def ask() -> list[list[float]]:
        async with AsyncOpenAI(base_url=router.url + "/v1", api_key="x") as client:
            answer = await client.embeddings.create(model="auto", input=["one", "two"])
            return [one.embedding for one in answer.data]

    assert asyncio.run(ask()) == VECTORS


@pytest.mark.parametrize("given_input", ["one", [1, 2, 3], [[1, 2], [3]]])
def test_each_kind_of_input_passes(client: OpenAI, server: Upstream, given_input: Any) -> None:
    client.embeddings.create(model="auto", input=given_input, user="u", extra_body={"truncate_prompt_tokens": 9})
    [request] = server.requests
    assert request.body["input"] == given_input
    assert (request.body["user"], request.body["truncate_prompt_tokens"]) == ("u", 9)


def test_cost_and_record_count_what_went_in(client: OpenAI, router: Router) -> None:
    response = client.embeddings.with_raw_response.create(model="auto", input=["one", "two"])
    headers = response.headers
    assert float(headers["x-router-cost-usd"]) == pytest.approx(12 * 0.02e-6)
    assert (headers["x-router-route"], headers["x-router-model"]) == ("auto", "first")
    assert (headers["x-router-reason"], headers["x-router-complexity"]) == ("policy:fixed", "0.000")
    metrics = router.ask("/metrics").body.decode()
    assert 'llm_router_tokens_total{kind="input",model="first"}' in metrics
    assert 'llm_router_tokens_total{kind="output",model="first"}' not in metrics
    assert 'llm_router_decisions_total{model="first",reason="policy:fixed",route="auto"}' in metrics
    assert 'llm_router_attempts_total{endpoint="first@127.0.0.1' in metrics


def test_usage_that_the_server_does_not_report_is_estimated(client: OpenAI, server: Upstream) -> None:
    server.behaviours["e5"] = embeds(usage=False)
    response = client.embeddings.with_raw_response.create(model="auto", input=[1] * 100)
    assert response.parse().usage.prompt_tokens == 107  # the numbers, and a message's frame
    assert float(response.headers["x-router-cost-usd"]) == pytest.approx(107 * 0.02e-6)


def test_an_explained_answer_holds_the_decision(client: OpenAI) -> None:
    answer = client.embeddings.create(model="auto", input="one", extra_headers={"x-router-explain": "true"})
    explained = (answer.model_extra or {})["router"]
    assert explained["chain"] == ["first", "twin"]
    assert explained["signals"]["output_tokens"] == {"p50": 0, "p90": 0}
    assert {one["model"]: one["reason"] for one in explained["rejections"]} == {
        "chat": "capability",
        "stranger": "constraint",
    }


@pytest.mark.parametrize(
    "broken",
    [fails(500), hangs(), sends(whole({"data": []})), sends(b"", then="reset"), embeds(count=1), embeds(count=3)],
    ids=["500", "silence", "no vectors", "reset", "too few", "too many"],
)
def test_only_a_model_with_the_same_vectors_takes_over(client: OpenAI, server: Upstream, broken: Behaviour) -> None:
    server.behaviours["e5"] = broken
    with pytest.raises(openai.InternalServerError):
        client.embeddings.create(model="auto", input=["one", "two"])
    assert {one.body["model"] for one in server.requests} == {"e5"}, "the stranger was never asked"


def test_a_twin_takes_over(client: OpenAI, server: Upstream) -> None:
    calls = iter((fails(500), embeds()))

    async def behave(writer: asyncio.StreamWriter, request: Request) -> None:
        await next(calls)(writer, request)

    server.behaviours["e5"] = behave
    response = client.embeddings.with_raw_response.create(model="auto", input=["one", "two"])
    assert (response.headers["x-router-model"], response.parse().model) == ("twin", "twin")
    assert response.headers["x-router-reason"] == "fallback:status"
    assert float(response.headers["x-router-cost-usd"]) == pytest.approx(12 * 0.04e-6)


def test_a_dimension_that_the_server_ignores_is_no_answer(client: OpenAI) -> None:
    assert len(client.embeddings.create(model="auto", input="one", dimensions=3).data[0].embedding) == 3
    with pytest.raises(openai.InternalServerError) as caught:
        client.embeddings.create(model="auto", input="one", dimensions=2)
    assert caught.value.code == "upstream_malformed"


def test_a_route_without_embeddings_and_a_model_without_chat_are_told_apart(client: OpenAI, server: Upstream) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model="talk", input="one")
    assert caught.value.code == "unsupported_by_models"
    assert 'No model of route "talk" can serve this request: chat lacks embeddings.' in caught.value.message
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="first", messages=[{"role": "user", "content": "Hi"}])
    assert 'The model "first" cannot serve this request: it serves embeddings alone.' in caught.value.message
    answer = client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "Hi"}])
    assert answer.model == "chat"
    assert [request.body["model"] for request in server.requests] == ["chat"]


def test_simulated_models_embed(client: OpenAI) -> None:
    response = client.embeddings.with_raw_response.create(model="sim", input=["a cat", "a cat", "a dog"], dimensions=16)
    cat, same, dog = (one.embedding for one in response.parse().data)
    assert cat == same != dog
    assert len(cat) == 16
    assert response.headers["x-router-simulated"] == "true"
