"""TGI's traps, each by name. From specification: the scripted server follows the source of its router."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.serving.router import events
from tests.serving.tgi import MODEL, tgi
from tests.serving.upstream import STREAM_HEAD, chunked, sends
from tests.traps.setting import Setting, has_fallen_back, is_error, setting, text_of

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
FORM = {"type": "json_schema", "json_schema": {"name": "p", "schema": {"type": "object", "properties": {}}}}


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    with setting(tmp_path_factory.mktemp("tgi"), "tgi", upstream_model="tgi") as made:
        yield made


@pytest.fixture(autouse=True)
def fresh(at: Setting) -> None:
    at.fresh()
    at.behaves(tgi("Hello", " there."))


@pytest.fixture
def ill(tmp_path: Path) -> Iterator[Setting]:
    """A router of its own: after some errors an endpoint is left alone for seconds."""
    with setting(tmp_path, "tgi", upstream_model="tgi") as made:
        yield made


def served(reply: Any) -> Any:
    assert reply.status == 200, reply.body
    assert reply.headers["x-router-model"] == "first"
    return reply


@pytest.mark.proves("chat", "tgi", ["text", "usage"], evidence="specification")
@pytest.mark.parametrize("streamed", [False, True])
def test_its_answers_are_valid_and_their_empty_id_is_filled(at: Setting, streamed: bool) -> None:
    reply = served(at.ask(stream=streamed, stream_options={"include_usage": True} if streamed else None))
    assert text_of(reply) == "Hello there."
    docs = [one for one in events(reply) if isinstance(one, dict)] if streamed else [reply.json()]
    assert {one["model"] for one in docs} == {"first"}
    assert all(one["id"].startswith("chatcmpl-") for one in docs)
    assert docs[-1]["usage"]["total_tokens"] == 11


@pytest.mark.parametrize("kind", ["validation", "template_error", "tool_error"])
def test_error_is_a_string_beside_error_type(at: Setting, kind: str) -> None:
    at.behaves(tgi(fails=kind))
    error = is_error(at.ask("first"), 422)
    assert error["type"] == kind


@pytest.mark.proves("chat", "tgi", "context_overflow", evidence="specification")
def test_a_422_of_too_many_tokens_goes_to_a_larger_model(at: Setting) -> None:
    at.behaves(tgi(fails="validation"))
    has_fallen_back(at.ask())
    is_error(at.ask("first"), 422, "context_length_exceeded")


@pytest.mark.proves("chat", "tgi", "errors", evidence="specification")
@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("generation", 502, "upstream_unavailable"),
        ("overloaded", 429, "rate_limit_exceeded"),
        ("incomplete_generation", 503, "upstream_unavailable"),
        ("healthcheck", 503, "upstream_unavailable"),
    ],
)
def test_424_429_500_and_503_are_answered_by_another_model(ill: Setting, kind: str, status: int, code: str) -> None:
    ill.behaves(tgi(fails=kind))
    has_fallen_back(ill.ask())
    assert ill.asked()
    is_error(ill.ask("first"), status, code)


@pytest.mark.proves("chat", "tgi", "errors", stream=True, evidence="specification")
@pytest.mark.parametrize("kind", ["generation", "incomplete_generation", "overloaded"])
def test_an_error_in_a_stream_is_followed_by_done_and_is_an_error_all_the_same(ill: Setting, kind: str) -> None:
    ill.behaves(tgi("Hello", broken=kind))
    found = events(ill.ask("first", stream=True))
    assert found[0]["choices"][0]["delta"]["content"] == "Hello"
    assert "[DONE]" not in found
    assert found[-1]["error"]["message"]
    ill.behaves(tgi(broken=kind))
    has_fallen_back(ill.ask(stream=True))


@pytest.mark.proves("chat", "tgi", ["stop", "finish_reasons"], evidence="specification")
@pytest.mark.parametrize("streamed", [False, True])
def test_the_finish_can_be_stop_sequence(at: Setting, streamed: bool) -> None:
    at.behaves(tgi("a", finish="stop_sequence"))
    reply = served(at.ask(stop=["b"], stream=streamed))
    docs = [one for one in events(reply) if isinstance(one, dict)] if streamed else [reply.json()]
    assert [c["finish_reason"] for one in docs for c in one["choices"] if c["finish_reason"]] == ["stop"]
    assert at.asked()[0].body["stop"] == ["b"]


@pytest.mark.proves("chat", "tgi", "tools", stream=True, evidence="specification")
def test_every_tool_delta_repeats_id_type_and_role(at: Setting) -> None:
    at.behaves(tgi("{", '"a":', "1}", tool="f"))
    found = [one for one in events(served(at.ask(stream=True, tools=TOOLS))) if isinstance(one, dict)]
    calls = [call for one in found for c in one["choices"] for call in c["delta"].get("tool_calls") or ()]
    assert [call["id"] for call in calls if call.get("id")] == ["0"]
    assert [call["function"]["name"] for call in calls if call["function"].get("name")] == ["f"]
    assert "".join(call["function"]["arguments"] for call in calls) == '{"a":1}'


@pytest.mark.proves("chat", "tgi", "tools", stream=False, evidence="specification")
@pytest.mark.parametrize("as_text", [True, False])
def test_the_arguments_of_a_whole_call_can_be_an_object(at: Setting, as_text: bool) -> None:
    at.behaves(tgi('{"a":', "1}", tool="f", whole_arguments=as_text))
    call = served(at.ask(tools=TOOLS)).json()["choices"][0]["message"]["tool_calls"][0]
    assert orjson.loads(call["function"]["arguments"]) == {"a": 1}


@pytest.mark.proves("chat", "tgi", "sampling", evidence="specification")
def test_top_p_1_is_rejected_and_never_sent(at: Setting) -> None:
    reply = served(at.ask(top_p=1, temperature=0.5))
    assert reply.headers["x-router-warnings"] == "info;dropped;top_p"
    body = at.asked()[0].body
    assert "top_p" not in body
    assert body["temperature"] == 0.5


@pytest.mark.proves("chat", "tgi", "schema", evidence="specification")
def test_a_format_with_tools_is_422_and_never_sent(at: Setting) -> None:
    reply = served(at.ask(response_format=FORM, tools=TOOLS))
    assert reply.headers["x-router-warnings"] == "warning;dropped;response_format"
    assert "response_format" not in at.asked()[0].body
    served(at.ask(response_format=FORM, tools=[]))  # an empty list is refused as well
    assert at.asked()[0].body["response_format"]["type"] == "json"


@pytest.mark.proves("chat", "tgi", "json", evidence="specification")
def test_json_mode_is_a_grammar(at: Setting) -> None:
    served(at.ask(response_format={"type": "json_object"}))
    assert at.asked()[0].body["response_format"] == {"type": "json", "value": {"type": "object"}}


def test_another_model_name_is_a_lora_adapter_and_only_the_configured_one_is_sent(at: Setting) -> None:
    served(at.ask("first"))
    assert [request.body["model"] for request in at.backend.requests] == ["tgi"]
    assert MODEL not in at.ask("first").body.decode()


@pytest.mark.proves("chat", "tgi", "limits", evidence="specification")
def test_max_completion_tokens_is_an_alias_of_max_tokens_and_one_is_sent(at: Setting) -> None:
    served(at.ask(max_completion_tokens=9, max_tokens=99))
    body = at.asked()[0].body
    assert (body["max_tokens"], "max_completion_tokens" in body) == (9, False)


@pytest.mark.proves("chat", "tgi", "n", evidence="specification", lost="dropped")
def test_several_answers_are_not_known(at: Setting) -> None:
    reply = served(at.ask(n=2))
    assert reply.headers["x-router-warnings"] == "warning;dropped;n"
    assert len(reply.json()["choices"]) == 1


@pytest.mark.proves("chat", "tgi", "system", evidence="specification")
def test_the_developer_role_is_sent_as_system(at: Setting) -> None:
    messages = [{"role": "developer", "content": "x"}, {"role": "user", "content": "hi"}]
    served(at.router.ask("/v1/chat/completions", {"model": "auto", "messages": messages}))
    assert at.asked()[0].body["messages"][0] == {"role": "system", "content": "x"}


def test_keep_alive_comments_are_no_content(at: Setting) -> None:
    body = served(at.ask(stream=True)).body
    assert b"\n:" not in b"\n" + body
    assert text_of(at.ask(stream=True)) == "Hello there."


def test_its_timing_headers_are_not_the_routers(at: Setting) -> None:
    headers = served(at.ask()).headers
    assert not {"x-total-time", "x-queue-time", "x-inference-time", "x-compute-type"} & headers.keys()
    assert float(headers["x-router-overhead-ms"]) >= 0


@pytest.mark.parametrize("streamed", [False, True])
def test_generate_stream_which_has_no_done_is_never_asked(at: Setting, streamed: bool) -> None:
    reply = served(at.ask(stream=streamed))
    assert [one.head.split()[1] for one in at.asked()] == ["/v1/chat/completions"]
    assert text_of(reply) == "Hello there."
    at.behaves(sends(STREAM_HEAD + chunked(b'data:{"index":1,"token":{"id":1,"text":"Hi"}}\n\n') + b"0\r\n\r\n"))
    has_fallen_back(at.ask(stream=streamed))
