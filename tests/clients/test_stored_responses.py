"""Stored answers under the official openai client: read again, listed with their input, deleted."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from openai import BadRequestError, NotFoundError, OpenAI
from openai.types.responses import Response

from tests.clients.replay import replays
from tests.server.test_earlier import client, settings
from tests.serving.router import Router, serving
from tests.serving.upstream import Upstream, answers, upstream
from tests.traces.read import trace

PATH = "/v1/responses"
HEAD = {"authorization": "Bearer sk-one"}
TOOL: Any = {"type": "function", "name": "get_weather", "parameters": {}, "strict": False}


@pytest.fixture(scope="module")
def backend() -> Iterator[Upstream]:
    with upstream() as server:
        yield server


@pytest.fixture(scope="module")
def router(backend: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    with serving(tmp_path_factory.mktemp("stored"), settings(backend.url)) as running:
        yield running


@pytest.fixture
def api(router: Router, backend: Upstream) -> Iterator[OpenAI]:
    backend.behaviours["small"] = answers("Blue.")
    with client(router) as made:
        yield made


@pytest.mark.proves("responses", "compatible", "state", stream=False, evidence="scripted", client="openai (Python)")
def test_an_answer_is_read_as_it_was_given(api: OpenAI) -> None:
    first = api.responses.create(
        model="auto", input="My colour?", instructions="Be brief.", metadata={"a": "b"}, temperature=0.5, tools=[TOOL]
    )
    assert api.responses.retrieve(first.id).to_dict() == first.to_dict()
    second = api.responses.create(model="auto", input="Sure?", previous_response_id=first.id)
    again = api.responses.retrieve(second.id)
    assert again.to_dict() == second.to_dict()
    assert again.previous_response_id == first.id


@pytest.mark.proves("responses", "compatible", "state", stream=True, evidence="scripted", client="openai (Python)")
def test_so_is_one_that_was_streamed_and_not_what_was_told_of_its_decision(api: OpenAI) -> None:
    explained = {"x-router-explain": "true"}
    with api.responses.create(model="auto", input="My colour?", stream=True, extra_headers=explained) as stream:
        *_, last = stream
    assert last.type == "response.completed"
    first = last.response.to_dict()
    assert first.pop("router")
    found = api.responses.retrieve(last.response.id)
    assert Response.model_validate_json(found.to_json(), strict=True)
    assert found.to_dict() == first
    assert found.output_text == "Blue. "


@pytest.mark.parametrize("stream", [False, True])
def test_a_relayed_answer_is_read_by_its_providers_id(
    api: OpenAI, router: Router, backend: Upstream, stream: bool
) -> None:
    backend.behaviours["theirs"] = replays(trace("vllm/36-responses_stream" if stream else "vllm/35-responses"))
    router.ask(PATH, {"model": "theirs", "input": "hi", "stream": stream}, headers=HEAD)
    asked = backend.requests[-1]
    assert asked.body["model"] == "theirs"
    with closing(sqlite3.connect(router.database)) as database:
        [name] = database.execute("SELECT response FROM records ORDER BY id DESC LIMIT 1").fetchone()
    found = api.responses.retrieve(name)
    assert (found.id, found.model) == (name, "theirs")
    assert found.output


def test_what_it_was_an_answer_to_is_listed_in_pages(api: OpenAI, backend: Upstream) -> None:
    backend.behaviours["small"] = replays(trace("vllm/20-tools_auto"))
    first = api.responses.create(model="auto", input="Paris?", tools=[TOOL])
    [item] = api.responses.input_items.list(first.id).data
    assert item.to_dict() == {
        "id": item.id,
        "type": "message",
        "role": "user",
        "status": "completed",
        "content": [{"type": "input_text", "text": "Paris?"}],
    }
    backend.behaviours["small"] = answers("18 degrees")
    [call] = [one for one in first.output if one.type == "function_call"]
    said: Any = [
        {"role": "user", "content": "Paris?"},
        call.to_dict(),
        {"type": "function_call_output", "call_id": call.call_id, "output": "18"},
        {"role": "assistant", "content": "So."},
        {"role": "user", "content": [{"type": "input_text", "text": "And?"}]},
    ]
    second = api.responses.create(model="auto", input=said, tools=[TOOL])
    kinds = ["message", "function_call", "function_call_output", "message", "message"]
    for order, expected in (("asc", kinds), ("desc", kinds[::-1])):
        listed = list(api.responses.input_items.list(second.id, order=order, limit=2))  # type: ignore[arg-type]
        assert [one.type for one in listed] == expected
        assert len({one.id for one in listed}) == len(said)
    for query in ({"limit": 101}, {"limit": 0}, {"order": "up"}, {"after": "nothing"}):
        with pytest.raises(BadRequestError) as caught:
            api.responses.input_items.list(second.id, extra_query=query)
        assert caught.value.param in query


def test_a_deleted_answer_leaves_nothing_of_what_was_said(api: OpenAI, router: Router) -> None:
    first = api.responses.create(model="auto", input="My secret colour?")
    api.responses.delete(first.id)
    for ask in (api.responses.retrieve, api.responses.delete, api.responses.input_items.list):
        with pytest.raises(BadRequestError, match="deleted") as caught:
            ask(first.id)
        assert (caught.value.code, caught.value.param) == ("previous_response_not_stored", "response_id")
    with pytest.raises(BadRequestError) as caught:
        api.responses.create(model="auto", input="And?", previous_response_id=first.id)
    assert caught.value.code == "previous_response_not_stored"
    with closing(sqlite3.connect(router.database)) as database:
        rows = database.execute("SELECT * FROM records").fetchall()
        [cost] = database.execute("SELECT sum(output_tokens) FROM records").fetchone()
    assert not [row for row in rows if "secret" in str(row)]
    assert cost


def test_nor_do_the_answers_that_went_on_from_it(api: OpenAI, router: Router, backend: Upstream) -> None:
    backend.behaviours["small"] = answers("Ochre.")
    first = api.responses.create(model="auto", input="My hidden colour?")
    named: Any = [{"type": "item_reference", "id": first.output[0].id}, {"role": "user", "content": "Third"}]
    backend.behaviours["small"] = answers("Sure.")
    second = api.responses.create(model="auto", input="Second", previous_response_id=first.id)
    third = api.responses.create(model="auto", input=named)
    fourth = api.responses.create(model="auto", input="Fourth", previous_response_id=third.id)
    assert "Ochre." in str(backend.requests[-1].body["messages"]), "what the answer before only named is put in"
    listed = api.responses.input_items.list(third.id, order="asc").data
    assert "Ochre." in str(listed[0].to_dict())
    api.responses.delete(first.id)
    with closing(sqlite3.connect(router.database)) as database:
        rows = [str(row) for row in database.execute("SELECT * FROM records")]
    assert not [row for row in rows if "hidden" in row or "Ochre" in row]
    assert [sum(f"user: {word}" in row for row in rows) for word in ("Second", "Third", "Fourth")] == [1, 1, 1]
    listed = api.responses.input_items.list(third.id, order="asc").data
    assert listed[0].to_dict()["type"] == "item_reference"
    for answer in (second, third, fourth):
        assert api.responses.retrieve(answer.id).id == answer.id
        with pytest.raises(BadRequestError, match="deleted") as caught:
            api.responses.create(model="auto", input="And?", previous_response_id=answer.id)
        assert (caught.value.code, caught.value.param) == ("previous_response_not_stored", "previous_response_id")


def test_a_deleted_answer_is_not_left_in_the_bytes_of_the_file(tmp_path: Path, backend: Upstream) -> None:
    backend.behaviours["small"] = answers("Vermilion.")
    with serving(tmp_path, settings(backend.url)) as router, client(router) as api:
        first = api.responses.create(model="auto", input="My cryptic colour? " + "cryptic " * 3000)
        backend.behaviours["small"] = answers("Sure.")
        api.responses.create(model="auto", input="And now?", previous_response_id=first.id)
        api.responses.delete(first.id)
        router.stop()
    held = [file.read_bytes() for file in tmp_path.rglob("*.db*")]
    assert any(b"And now?" in raw for raw in held)
    assert not [raw for raw in held if b"cryptic" in raw or b"Vermilion" in raw]


def test_another_keys_answer_is_neither_read_nor_deleted(api: OpenAI, router: Router) -> None:
    first = api.responses.create(model="auto", input="Mine.")
    with client(router, "sk-two") as two:
        for ask in (two.responses.retrieve, two.responses.delete, two.responses.input_items.list):
            with pytest.raises(NotFoundError) as caught:
                ask(first.id)
            assert caught.value.code == "previous_response_not_found"
    assert api.responses.retrieve(first.id).id == first.id
    for name in ("resp_" + "0" * 32, "resp_unknown", "x"):
        with pytest.raises(NotFoundError):
            api.responses.retrieve(name)


def test_a_key_is_needed(router: Router) -> None:
    for method in ("GET", "DELETE"):
        assert router.ask(f"{PATH}/resp_1", method=method).status == 401
    assert router.ask(f"{PATH}/resp_1", {}, headers=HEAD).status == 405


def test_a_stored_answer_is_not_streamed(api: OpenAI) -> None:
    first = api.responses.create(model="auto", input="Hello")
    with pytest.raises(BadRequestError) as caught:
        api.responses.retrieve(first.id, stream=True)
    assert caught.value.param == "stream"


def test_without_stored_content_the_setting_is_named(tmp_path: Path, backend: Upstream) -> None:
    with serving(tmp_path, settings(backend.url, "")) as router, client(router) as api:
        first = api.responses.create(model="auto", input="Hello")
        for name in (first.id, "resp_unknown"):
            for ask in (api.responses.retrieve, api.responses.delete):
                with pytest.raises(BadRequestError, match=r"store\.content") as caught:
                    ask(name)
                assert caught.value.code == "previous_response_not_stored"


def test_an_answer_that_was_not_to_be_stored_is_not_read(api: OpenAI) -> None:
    first = api.responses.create(model="auto", input="Hello", store=False)
    with pytest.raises(BadRequestError, match="store: false"):
        api.responses.retrieve(first.id)
