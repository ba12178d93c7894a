"""The traps of llama-cpp-python's server, each by name. Recorded from version 0.3.36."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from llm_inference_router.backends.registry import backend, relay
from tests.serving.router import events
from tests.serving.upstream import sends
from tests.serving.upstream import whole as page
from tests.traces.read import trace
from tests.traps.setting import Setting, encoded, fault, has_fallen_back, is_error, setting, stream, text_of, whole

llamacpp = backend("llamacpp")
HERE = "llama-cpp-python"


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    with setting(tmp_path_factory.mktemp("llama"), "llamacpp") as made:
        yield made


@pytest.fixture(autouse=True)
def fresh(request: pytest.FixtureRequest) -> None:
    if "at" in request.fixturenames:
        request.getfixturevalue("at").fresh()


@pytest.mark.proves("chat", "llamacpp", ["text", "usage", "finish_reasons"], stream=False, evidence="recorded")
def test_a_whole_answer() -> None:
    answer = whole(llamacpp, f"{HERE}/06-chat")
    assert answer.text.startswith("Hello!")
    assert answer.usage is not None
    assert answer.usage.output_tokens == 16


@pytest.mark.proves("chat", "llamacpp", "errors", evidence="recorded")
@pytest.mark.parametrize("name", ["53-err_type", "56-err_role"])
def test_a_client_s_mistake_is_a_500_and_no_retry_loop(at: Setting, name: str) -> None:
    """The router finds both by itself; a newer field that is refused in this way is no failure of the server."""
    exchange = at.replays(f"{HERE}/{name}")
    assert exchange.status == 500
    is_error(at.router.ask("/v1/chat/completions", orjson.loads(exchange.request) | {"model": "auto"}), 400)
    assert not at.backend.requests
    error = is_error(at.ask("first"), 400)
    assert error["type"] == "invalid_request_error"
    assert "File" not in error["message"]
    assert len(at.asked()) == 1
    has_fallen_back(at.ask())
    assert len(at.asked()) == 1


def test_a_500_that_says_nothing_is_tried_again_only_so_often(at: Setting) -> None:
    at.replays(f"{HERE}/54-err_nomsg")
    reply = at.ask("first")
    is_error(reply, 503)
    assert len(at.asked()) == int(reply.headers["x-router-attempts"]) <= 3
    assert reply.headers["retry-after"]


def test_json_that_is_none_is_a_plain_text_500_and_never_reaches_it(at: Setting) -> None:
    assert (trace(f"{HERE}/58-err_badjson").status, fault(llamacpp, f"{HERE}/58-err_badjson").status) == (500, 500)
    is_error(at.router.ask("/v1/chat/completions", b"{not json"), 400)
    assert not at.backend.requests


def test_an_unknown_model_is_answered_with_200_and_its_name(at: Setting) -> None:
    assert orjson.loads(at.replays(f"{HERE}/47-err_model").body)["model"] == "no-such-model"
    assert at.ask().json()["model"] == "first"
    is_error(at.ask("no-such-model"), 404)


def test_there_is_no_health_and_its_list_of_models_is_asked_for(tmp_path: Path) -> None:
    assert trace(f"{HERE}/02-health").status == 404
    with setting(tmp_path, "llamacpp", extra="health: {every: 1s}") as made:
        for _ in range(100):
            if made.backend.asked_pages:
                break
            made.ask("spare")
        assert set(made.backend.asked_pages) == {"/v1/models"}


def test_a_health_that_is_not_found_is_a_sign_of_life(tmp_path: Path) -> None:
    with setting(tmp_path, "llamacpp", extra="health: {path: /health, every: 1s}") as made:
        made.backend.pages["/health"] = page({"detail": "Not Found"}, 404)
        for _ in range(100):
            if made.backend.asked_pages:
                break
            made.ask("spare")
        made.replays(f"{HERE}/06-chat")
        assert made.ask().headers["x-router-model"] == "first"


def test_there_are_no_responses_and_messages() -> None:
    assert {trace(f"{HERE}/{name}").status for name in ("35-responses", "37-messages")} == {404}
    assert relay("llamacpp", "messages") is None


@pytest.mark.proves("chat", "llamacpp", ["text", "usage"], stream=True, evidence="recorded")
def test_include_usage_is_ignored_and_usage_is_estimated(at: Setting) -> None:
    exchange = at.replays(f"{HERE}/11-chat_stream_usage")
    assert b'"usage"' not in exchange.body
    assembly, chunks = stream(llamacpp, exchange.body)
    assert assembly.usage is None
    assert chunks[-1]["usage"]["completion_tokens"] > 0
    found = [
        one for one in events(at.ask(stream=True, stream_options={"include_usage": True})) if isinstance(one, dict)
    ]
    assert found[-1]["choices"] == []
    assert found[-1]["usage"]["total_tokens"] > 0
    assert all(not one.get("usage") for one in events(at.ask(stream=True)) if isinstance(one, dict))


@pytest.mark.proves("chat", "llamacpp", "n", evidence="recorded", lost="dropped")
def test_n_is_ignored_and_not_sent(at: Setting) -> None:
    assert len(orjson.loads(at.replays(f"{HERE}/13-chat_n2").body)["choices"]) == 1
    reply = at.ask(n=2)
    assert reply.headers["x-router-warnings"] == "warning;dropped;n"
    assert "n" not in at.asked()[0].body


@pytest.mark.proves("chat", "llamacpp", "limits", evidence="recorded")
def test_max_completion_tokens_is_ignored_and_sent_as_max_tokens(at: Setting) -> None:
    ignored = orjson.loads(trace(f"{HERE}/08-chat_mct").body)["choices"][0]["finish_reason"]
    assert ignored == "stop"
    at.replays(f"{HERE}/07-chat_length")
    assert at.ask(max_completion_tokens=4).json()["choices"][0]["finish_reason"] == "length"
    assert at.asked()[0].body["max_tokens"] == 4


@pytest.mark.proves("chat", "llamacpp", "context_overflow", evidence="recorded")
def test_a_prompt_that_is_too_long_goes_to_a_larger_model(at: Setting) -> None:
    at.replays(f"{HERE}/49-err_ctx")
    has_fallen_back(at.ask())
    is_error(at.ask("first"), 400, "context_length_exceeded")


@pytest.mark.proves("chat", "llamacpp", "tools", stream=False, evidence="recorded")
def test_a_named_tool_is_called_with_the_deprecated_form_beside_it() -> None:
    message = whole(llamacpp, f"{HERE}/24-tools_named").body["choices"][0]["message"]
    assert message["tool_calls"][0]["function"]["name"] == message["function_call"]["name"] == "get_weather"


@pytest.mark.proves("chat", "llamacpp", "tool_choice", stream=False, evidence="recorded", lost="ignored")
def test_a_tool_that_is_required_or_left_to_the_model_is_called_in_raw_text() -> None:
    for name in ("20-tools_auto", "22-tools_required"):
        assert whole(llamacpp, f"{HERE}/{name}").text.startswith("<tool_call>")


@pytest.mark.proves("chat", "llamacpp", "schema", evidence="recorded")
def test_a_schema_is_sent_in_the_form_that_it_knows() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "p", "schema": {"type": "object"}}}
    body, warnings = encoded(llamacpp, "llamacpp", response_format=form)
    assert body["response_format"] == {"type": "json_object", "schema": {"type": "object"}}
    assert warnings == ("info;rewritten;response_format",)
    assert whole(llamacpp, f"{HERE}/27-json_object").text


def test_a_role_that_it_does_not_know_never_reaches_it() -> None:
    messages = [{"role": "developer", "content": "x"}, {"role": "user", "content": "hi"}]
    assert encoded(llamacpp, "llamacpp", messages=messages)[0]["messages"][0]["role"] == "system"


def test_an_image_makes_its_template_fail_with_a_500(at: Setting) -> None:
    at.replays(f"{HERE}/28-vision_part")
    image = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}]
    asked = {"model": "auto", "messages": [{"role": "user", "content": image}]}
    reply = at.router.ask("/v1/chat/completions", asked)
    has_fallen_back(reply)


@pytest.mark.proves("chat", "llamacpp", "broken_answers", evidence="scripted")
def test_an_answer_that_is_none_is_given_by_another_model(at: Setting) -> None:
    for broken in (b"", b"{}", b'{"choices": []}', b"[1]"):
        at.behaves(sends(page(broken)))
        has_fallen_back(at.ask())
        assert text_of(at.ask()).strip() == "From the spare."
        is_error(at.ask("first"), 502, "upstream_malformed")
