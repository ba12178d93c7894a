"""The official client's other ways: headers, explanations, the model list, time limits, streams closed early."""

import asyncio
import time
from collections.abc import Callable

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from tests.clients.conftest import BACKENDS
from tests.serving.router import Router
from tests.serving.upstream import Upstream, answers, drips, sends

MESSAGES = [{"role": "user", "content": "Hello"}]
HELLO = {"model": "auto", "messages": MESSAGES, "extra_headers": {"x-router-tags": "server=vllm"}}


def wait_until(law: Callable[[], bool], within: float = 5.0) -> None:
    ends = time.monotonic() + within
    while not law():
        assert time.monotonic() < ends, "it did not come true"
        time.sleep(0.02)


@pytest.mark.parametrize("stream", [False, True])
def test_the_decision_is_in_the_headers(client: OpenAI, stream: bool) -> None:
    response = client.chat.completions.with_raw_response.create(**HELLO, stream=stream)  # type: ignore[call-overload]
    headers = response.headers
    assert headers["x-router-route"] == "auto"
    assert headers["x-router-model"] == "vllm"
    assert headers["x-router-reason"] == "rule:vllm"
    assert headers["x-router-attempts"] == "1"
    assert len(headers["x-router-decision-id"]) == 36
    assert 0 <= float(headers["x-router-complexity"]) <= 1
    assert float(headers["x-router-overhead-ms"]) >= 0
    if not stream:
        assert float(headers["x-router-cost-usd"]) == pytest.approx(100e-6 + 10 * 2e-6)
        assert response.parse().choices[0].message.content == "Hello there."
    else:
        assert "".join(c.delta.content or "" for chunk in response.parse() for c in chunk.choices) == "Hello there. "
    assert headers["x-request-id"].startswith("req_")


def test_the_request_id_is_the_clients(client: OpenAI) -> None:
    answer = client.chat.completions.create(**HELLO)  # type: ignore[call-overload]
    assert answer._request_id.startswith("req_")
    mine = HELLO | {"extra_headers": {"x-request-id": "my-own-id"}}
    assert client.chat.completions.create(**mine)._request_id == "my-own-id"  # type: ignore[call-overload]


@pytest.mark.parametrize("stream", [False, True])
def test_an_explained_answer_holds_the_decision(client: OpenAI, stream: bool) -> None:
    wanted = HELLO | {"extra_headers": {"x-router-tags": "server=vllm", "x-router-explain": "true"}}
    answer = client.chat.completions.create(**wanted, stream=stream)  # type: ignore[call-overload]
    explained = [chunk.model_extra.get("router") for chunk in answer][-1] if stream else answer.model_extra["router"]
    assert explained["chosen"] == explained["model"] == "vllm"
    assert explained["rule"] == "vllm"
    assert explained["chain"] == ["vllm"]
    assert {rejection["model"] for rejection in explained["rejections"]} == set(BACKENDS) - {"vllm"}
    assert explained["attempts"] == ["ok"]
    assert set(explained["signals"]["complexity"]["parts"]) >= {
        "reasoning",
        "knowledge",
        "constraints",
        "context",
        "output",
    }
    assert explained["cost_usd"] > 0


def test_the_model_list_names_routes_and_models(client: OpenAI) -> None:
    listed = client.models.list()
    assert {model.id for model in listed} == {"auto", "text", "plain", *BACKENDS}
    for model in listed:
        assert (model.object, type(model.created), type(model.owned_by)) == ("model", int, str)
        assert client.models.retrieve(model.id) == model
    assert (client.models.retrieve("auto").model_extra or {})["kind"] == "route"
    assert (client.models.retrieve("vllm").model_extra or {})["kind"] == "model"


def test_a_models_own_name_pins_it(client: OpenAI, backend: Upstream) -> None:
    answer = client.chat.completions.create(model="transformers-serve", messages=MESSAGES)  # type: ignore[arg-type]
    assert answer.model == "transformers-serve"
    assert [request.body["model"] for request in backend.requests] == ["transformers-serve-upstream"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_runs_out_of_patience_frees_the_upstream(client: OpenAI, backend: Upstream, stream: bool) -> None:
    backend.behaviours["vllm-upstream"] = sends(b"", then="hang")
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.5, max_retries=0).chat.completions.create(**HELLO, stream=stream)  # type: ignore[call-overload]
    [request] = backend.requests
    wait_until(request.gone.is_set)
    assert request.gone_after < 0.5 + 1.0


def test_a_stream_closed_early_frees_the_upstream(client: OpenAI, backend: Upstream) -> None:
    backend.behaviours["vllm-upstream"] = drips(0.02)
    with client.chat.completions.create(**HELLO, stream=True) as stream:  # type: ignore[call-overload]
        for number, _ in enumerate(stream):
            if number == 5:
                break
        [request] = backend.requests
        assert not request.gone.is_set()
    left = time.monotonic()
    wait_until(request.gone.is_set)
    assert time.monotonic() - left < 1.0


def test_an_async_task_that_is_cancelled_frees_the_upstream(router: Router, backend: Upstream) -> None:
    backend.behaviours["vllm-upstream"] = answers(after=30)

    async def ask_and_give_up() -> None:
        async with AsyncOpenAI(base_url=router.url + "/v1", api_key="unused") as client:
            async with asyncio.timeout(0.5):
                await client.chat.completions.create(**HELLO)  # type: ignore[call-overload]

    with pytest.raises(TimeoutError):
        asyncio.run(ask_and_give_up())
    [request] = backend.requests
    wait_until(request.gone.is_set)
    assert request.gone_after < 0.5 + 1.0


def test_the_first_words_arrive_while_the_rest_is_still_being_made(client: OpenAI, backend: Upstream) -> None:
    backend.behaviours["vllm-upstream"] = drips(1.0, times=3)
    arrivals = []
    with client.chat.completions.create(**HELLO, stream=True) as stream:  # type: ignore[call-overload]
        for chunk in stream:
            arrivals += [(choice.delta.content, time.monotonic()) for choice in chunk.choices if choice.delta.content]
    assert [text for text, _ in arrivals] == ["w0 ", "w1 ", "w2 "]
    assert arrivals[-1][1] - arrivals[0][1] > 1.0  # had they been buffered, they would have come together
