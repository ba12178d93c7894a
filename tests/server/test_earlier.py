"""Requests that go on from an earlier answer, by `previous_response_id` and by references to items of it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from tests.clients.replay import replays
from tests.serving.router import Router, config, serving
from tests.serving.upstream import Upstream, answers, sends, upstream, whole
from tests.support.responses import body, sent
from tests.traces.read import trace

KEYS = "server: {keys: [{name: one, key: sk-one}, {name: two, key: sk-two}]}\nstore: {content: true, retain: 1d}\n"
PATH = "/v1/responses"


@pytest.fixture
def backend() -> Iterator[Upstream]:
    with upstream() as server:
        yield server


def settings(url: str, extra: str = KEYS) -> str:
    text = config(url, "small")
    if extra:
        relayed = f"  - {{name: theirs, backend: openai, endpoints: [{{url: '{url}'}}], tier: large, location: cloud, "
        relayed += "api_key: sk-up, context: 32768, price: {input: 1, output: 2}, health: none, breaker: none}"
        text = text.replace("\nroutes:", f"\n{relayed}\nroutes:")
    return text + extra


def client(router: Router, key: str = "sk-one") -> OpenAI:
    return OpenAI(base_url=router.url + "/v1", api_key=key, timeout=20, max_retries=0)


def asked(backend: Upstream) -> list[Any]:
    return list(backend.requests[-1].body["messages"])


def test_a_conversation_goes_on_over_a_restart(tmp_path: Path, backend: Upstream) -> None:
    backend.behaviours["small"] = answers("Blue.")
    text = settings(backend.url)
    with serving(tmp_path, text) as router, client(router) as api:
        first = api.responses.create(model="auto", input="My colour is blue.", instructions="Be brief.")
        router.process.kill()
        router.process.wait()
    with serving(tmp_path, text) as router, client(router) as api:
        second = api.responses.create(model="auto", input="Which is it?", previous_response_id=first.id)
        assert asked(backend) == [
            {"role": "user", "content": "My colour is blue."},
            {"role": "assistant", "content": "Blue."},
            {"role": "user", "content": "Which is it?"},
        ]
        assert second.previous_response_id == first.id
        with api.responses.stream(model="auto", input="Sure?", previous_response_id=second.id) as stream:
            third = stream.get_final_response()
        assert [one["content"] for one in asked(backend)][-3:] == ["Which is it?", "Blue.", "Sure?"]
        api.responses.create(model="auto", input="Really?", previous_response_id=third.id)
        assert len(asked(backend)) == 7
        decided = router.ask(
            "/v1/route",
            {"model": "auto", "input": "And?", "previous_response_id": third.id},
            headers={"authorization": "Bearer sk-one"},
        )
        assert decided.json()["signals"]["prompt_tokens"] > 10


def test_a_tool_s_result_needs_no_more_than_the_id_of_the_answer_that_called(tmp_path: Path, backend: Upstream) -> None:
    backend.behaviours["small"] = replays(trace("vllm/20-tools_auto"))
    tool: Any = {"type": "function", "name": "get_weather", "parameters": {}, "strict": False}
    with serving(tmp_path, settings(backend.url)) as router, client(router) as api:
        first = api.responses.create(model="auto", input="Paris?", tools=[tool])
        [call] = [item for item in first.output if item.type == "function_call"]
        result: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "18"}]
        backend.behaviours["small"] = answers("18 degrees")
        api.responses.create(model="auto", input=result, previous_response_id=first.id, tools=[tool])
        assert [one["role"] for one in asked(backend)] == ["user", "assistant", "tool"]
        assert asked(backend)[1]["tool_calls"][0]["id"] == asked(backend)[2]["tool_call_id"] == call.call_id


def test_another_key_s_answer_is_not_found_and_neither_is_an_unknown_one(tmp_path: Path, backend: Upstream) -> None:
    with serving(tmp_path, settings(backend.url)) as router, client(router) as one, client(router, "sk-two") as two:
        first = one.responses.create(model="auto", input="A secret.")
        for api, name in ((two, first.id), (one, "resp_" + "0" * 32), (one, "resp_unknown")):
            with pytest.raises(NotFoundError) as caught:
                api.responses.create(model="auto", input="And?", previous_response_id=name)
            assert caught.value.code == "previous_response_not_found"
            assert caught.value.param == "previous_response_id"
        assert len(backend.requests) == 1


def test_without_stored_content_the_setting_is_named(tmp_path: Path, backend: Upstream) -> None:
    with serving(tmp_path, settings(backend.url, "")) as router, client(router) as api:
        first = api.responses.create(model="auto", input="Hello")
        for name in (first.id, "resp_unknown"):
            with pytest.raises(BadRequestError, match=r"store\.content") as caught:
                api.responses.create(model="auto", input="And?", previous_response_id=name)
            assert caught.value.code == "previous_response_not_stored"
    with closing(sqlite3.connect(tmp_path / "router.db")) as database:
        assert database.execute("SELECT count(*) FROM records WHERE response IS NOT NULL").fetchone() == (0,)


def test_an_answer_that_was_not_to_be_stored_is_not(tmp_path: Path, backend: Upstream) -> None:
    with serving(tmp_path, settings(backend.url)) as router, client(router) as api:
        first = api.responses.create(model="auto", input="Hello", store=False)
        with pytest.raises(BadRequestError, match="store: false"):
            api.responses.create(model="auto", input="And?", previous_response_id=first.id)


def test_an_item_can_be_named_instead_of_sent(tmp_path: Path, backend: Upstream) -> None:
    backend.behaviours["small"] = answers("Blue.")
    with serving(tmp_path, settings(backend.url)) as router, client(router) as api:
        first = api.responses.create(model="auto", input="My colour?")
        name = first.output[0].id
        assert name is not None
        said: Any = [
            {"role": "user", "content": "My colour?"},
            {"type": "item_reference", "id": name},
            {"role": "user", "content": "Sure?"},
        ]
        api.responses.create(model="auto", input=said)
        assert [one["content"] for one in asked(backend)] == ["My colour?", "Blue.", "Sure?"]
        said[1]["id"] = name[:-1] + "7"
        with pytest.raises(NotFoundError):
            api.responses.create(model="auto", input=said)


@pytest.mark.parametrize("stream", [False, True])
def test_a_relayed_answer_is_known_by_the_id_that_its_provider_gave(
    tmp_path: Path, backend: Upstream, stream: bool
) -> None:
    exchange = trace("vllm/36-responses_stream" if stream else "vllm/35-responses")
    backend.behaviours["theirs"] = replays(exchange)
    head = {"authorization": "Bearer sk-one"}
    with serving(tmp_path, settings(backend.url)) as router, client(router) as api:
        raw = router.ask(PATH, {"model": "theirs", "input": "hi", "stream": stream}, headers=head).body
        first = sent(raw)[-1]["response"] if stream else body(raw)
        assert first["id"].encode() in exchange.body
        api.responses.create(model="small", input="And?", previous_response_id=first["id"])
        assert [one["role"] for one in asked(backend)] == ["user", "assistant", "user"]
        again = {"model": "theirs", "input": "And?", "previous_response_id": first["id"], "stream": stream}
        raw = router.ask(PATH, again, headers=head).body
        second = sent(raw)[-1]["response"] if stream else body(raw)
        assert second["previous_response_id"] == first["id"]
        sent_on = backend.requests[-1].body
        assert "previous_response_id" not in sent_on
        assert [item["type"] for item in sent_on["input"]] == ["message", "message", "message"]


def test_an_upstream_that_calls_all_its_answers_the_same_makes_no_endless_conversation(
    tmp_path: Path, backend: Upstream
) -> None:
    answer = {"id": "resp_1", "object": "response", "status": "completed", "output": []}
    backend.behaviours["theirs"] = sends(whole(answer))
    with serving(tmp_path, settings(backend.url)) as router, client(router) as api:
        api.responses.create(model="theirs", input="One")
        api.responses.create(model="theirs", input="Two", previous_response_id="resp_1")
        with pytest.raises(NotFoundError):
            api.responses.create(model="theirs", input="Three", previous_response_id="resp_1")


def test_a_conversation_larger_than_a_body_may_be_is_refused(tmp_path: Path, backend: Upstream) -> None:
    text = settings(backend.url).replace("server: {keys", "server: {max_body: 1KiB, keys")
    head = {"authorization": "Bearer sk-one"}
    with serving(tmp_path, text) as router:
        name = None
        for _ in range(3):
            asked_for = {"model": "auto", "input": "x" * 700, "previous_response_id": name}
            answer = router.ask(PATH, asked_for, headers=head)
            name = answer.json().get("id")
        assert answer.status == 413
        assert answer.json()["error"]["code"] == "request_too_large"
