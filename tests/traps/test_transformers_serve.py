"""The traps of `transformers serve`, each by name. Recorded from version 5.23; it is used as `openai_compatible`."""

from collections.abc import Iterator

import orjson
import pytest

from llm_inference_router.backends.registry import backend, relay
from tests.backends import wire
from tests.serving.router import events
from tests.traces.read import trace
from tests.traps.setting import Setting, fault, has_fallen_back, is_error, setting, stream, text_of, whole

compatible = backend("openai_compatible")
HERE = "transformers-serve"


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    with setting(tmp_path_factory.mktemp("transformers"), "openai_compatible") as made:
        yield made


@pytest.fixture(autouse=True)
def fresh(request: pytest.FixtureRequest) -> None:
    if "at" in request.fixturenames:
        request.getfixturevalue("at").fresh()


@pytest.mark.proves("chat", "transformers", ["text", "usage", "limits"], stream=False, evidence="recorded")
def test_a_whole_answer_without_logprobs_refusal_and_message_order() -> None:
    answer = whole(compatible, f"{HERE}/07-chat_length")
    assert answer.finish_reason == "length"
    assert answer.usage is not None
    assert whole(compatible, f"{HERE}/06-chat").text.startswith("Hello!")


@pytest.mark.proves("chat", "transformers", "finish_reasons", stream=True, evidence="recorded")
def test_there_is_no_done_and_the_client_gets_one(at: Setting) -> None:
    exchange = at.replays(f"{HERE}/10-chat_stream")
    assert b"[DONE]" not in exchange.body
    reply = at.ask(stream=True)
    assert reply.headers["x-router-model"] == "first"
    assert events(reply)[-1] == "[DONE]"


@pytest.mark.proves("chat", "transformers", ["text", "usage"], stream=True, evidence="recorded")
def test_usage_comes_on_the_finish_chunk_unasked_and_is_given_on_a_chunk_of_its_own_when_asked_for(at: Setting) -> None:
    data = at.replays(f"{HERE}/10-chat_stream").body
    assert b'"usage"' in data.split(b"\n\n")[-2]
    _, chunks = stream(compatible, data)
    assert [bool(one["choices"]) for one in chunks if one.get("usage")] == [False]
    assert all("usage" not in one for one in stream(compatible, data, include_usage=False)[1])
    found = [one for one in events(at.ask(stream=True)) if isinstance(one, dict)]
    assert all(not one.get("usage") for one in found)
    asked = [
        one for one in events(at.ask(stream=True, stream_options={"include_usage": True})) if isinstance(one, dict)
    ]
    assert asked[-1]["choices"] == []
    assert asked[-1]["usage"]["total_tokens"] == 26


@pytest.mark.proves("chat", "transformers", "stop", stream=False, evidence="recorded", lost="ignored")
def test_it_keeps_the_stop_sequence_in_the_text() -> None:
    asked = orjson.loads(trace(f"{HERE}/15-chat_stop").request)["stop"]
    assert whole(compatible, f"{HERE}/15-chat_stop").text.endswith(asked[0])


@pytest.mark.proves("chat", "transformers", "n", evidence="recorded", lost="ignored")
def test_it_ignores_n_and_one_answer_is_complete(at: Setting) -> None:
    at.replays(f"{HERE}/13-chat_n2")
    assert len(at.ask(n=2).json()["choices"]) == 1
    at.replays(f"{HERE}/10-chat_stream")
    reply = at.ask(n=2, stream=True)
    assert events(reply)[-1] == "[DONE]"
    assert text_of(reply).startswith("Hello!")


@pytest.mark.proves("chat", "transformers", "logprobs", stream=False, evidence="recorded", lost="ignored")
def test_it_ignores_logprobs() -> None:
    assert orjson.loads(trace(f"{HERE}/16-chat_logprobs").request)["logprobs"] is True
    assert whole(compatible, f"{HERE}/16-chat_logprobs").body["choices"][0].get("logprobs") is None


@pytest.mark.proves("chat", "transformers", "schema", stream=False, evidence="recorded", lost="ignored")
def test_it_ignores_schemas() -> None:
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(whole(compatible, f"{HERE}/26-json_schema").text)


@pytest.mark.proves("chat", "transformers", "tool_choice", stream=False, evidence="recorded", lost="ignored")
def test_it_ignores_tool_choice_and_writes_calls_as_raw_text() -> None:
    """Nothing reads them out of the text: a model without `tools` among its capabilities is given no such request."""
    for name in ("20-tools_auto", "22-tools_required"):
        answer = whole(compatible, f"{HERE}/{name}")
        assert answer.text.startswith("<tool_call>")
        assert (answer.finish_reason, answer.body["choices"][0]["message"].get("tool_calls")) == ("stop", None)


@pytest.mark.proves("chat", "transformers", "tools", stream=True, evidence="recorded", lost="ignored")
def test_it_streams_calls_as_raw_text() -> None:
    assembly, _ = stream(compatible, trace(f"{HERE}/21-tools_auto_stream").body)
    assert assembly.text.endswith("</tool_call>")
    assert not assembly.called


@pytest.mark.proves("chat", "transformers", "images", stream=False, evidence="recorded", lost="ignored")
def test_it_drops_images() -> None:
    with_image, without = (whole(compatible, f"{HERE}/{name}") for name in ("28-vision_part", "06-chat"))
    assert with_image.usage == without.usage


@pytest.mark.proves("chat", "transformers", "context_overflow", evidence="recorded", lost="ignored")
def test_it_ignores_context_limits_and_answers_nonsense_so_the_window_is_the_routers_to_keep(at: Setting) -> None:
    answer = whole(compatible, f"{HERE}/49-err_ctx")
    assert answer.usage is not None
    assert answer.usage.input_tokens > 12_000
    at.replays(f"{HERE}/49-err_ctx")
    has_fallen_back(at.router.chat("auto", "word " * 6000))
    assert not at.asked()


def test_its_whole_responses_are_event_streams_and_are_never_asked_for() -> None:
    assert trace(f"{HERE}/35-responses").stream
    assert relay("openai_compatible", "messages") is None


@pytest.mark.proves("chat", "transformers", "errors", evidence="recorded")
@pytest.mark.parametrize("name", ["53-err_type", "54-err_nomsg", "55-err_emptymsg"])
def test_wrong_types_are_a_plain_text_500_and_the_router_finds_them_before(at: Setting, name: str) -> None:
    exchange = trace(f"{HERE}/{name}")
    assert (exchange.status, exchange.body) == (500, b"Internal Server Error")
    asked = orjson.loads(exchange.request) | {"model": "auto"}
    is_error(at.router.ask("/v1/chat/completions", asked), 400)
    assert not at.backend.requests
    at.replays(f"{HERE}/{name}")
    has_fallen_back(at.ask())


@pytest.mark.proves("chat", "transformers", "unknown_fields", evidence="recorded")
def test_an_unknown_field_is_422_and_another_model_may_take_it(at: Setting) -> None:
    at.replays(f"{HERE}/61-unknown_field")
    has_fallen_back(at.ask(frobnicate=1))
    error = is_error(at.ask("first", frobnicate=1), 422)
    assert "frobnicate" in error["message"]


def test_json_that_is_none_is_a_list_of_details() -> None:
    assert fault(compatible, f"{HERE}/58-err_badjson").message == "1: JSON decode error"


def test_a_wrong_model_is_a_400_that_is_no_mistake_of_the_client(at: Setting) -> None:
    at.replays(f"{HERE}/47-err_model")
    has_fallen_back(at.ask())
    error = is_error(at.ask("first"), 502, "upstream_not_found")
    assert "/srv/" not in error["message"]


def test_its_name_is_a_path_and_is_never_shown(at: Setting) -> None:
    at.replays(f"{HERE}/11-chat_stream_usage")
    assert b"/srv/" not in at.ask(stream=True).body
    assert b"/srv/" in trace(f"{HERE}/11-chat_stream_usage").body


def test_an_answer_of_one_byte_at_a_time_is_the_same() -> None:
    body = trace(f"{HERE}/10-chat_stream").body
    assert wire.pieces(compatible, [bytes([b]) for b in body]) == wire.pieces(compatible, [body])
