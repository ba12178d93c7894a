"""vLLM's traps, each by name. Recorded from vLLM 0.32."""

from collections.abc import Iterator

import orjson
import pytest

from llm_inference_router.backends.registry import backend, relay
from llm_inference_router.dialects import messages
from llm_inference_router.dialects.signature import tag
from llm_inference_router.types import Fault
from tests.backends import wire
from tests.serving.router import events
from tests.serving.upstream import sends
from tests.serving.upstream import whole as page
from tests.traces.read import FOLDER, trace
from tests.traps.setting import Setting, encoded, fault, has_fallen_back, is_error, setting, stream, text_of, whole

vllm = backend("vllm")
EMPTY = b"HTTP/1.1 200 OK\r\ndate: Mon, 23 Nov 2026 16:31:01 GMT\r\nserver: uvicorn\r\ncontent-length: 0\r\n\r\n"
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    health = "health: {path: /health, every: 1s}"
    with setting(tmp_path_factory.mktemp("vllm"), "vllm", extra=health) as made:
        made.backend.pages["/health"] = EMPTY
        yield made


@pytest.fixture(autouse=True)
def fresh(request: pytest.FixtureRequest) -> None:
    if "at" in request.fixturenames:
        request.getfixturevalue("at").fresh()


# --- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.proves("chat", "vllm", ["text", "usage", "finish_reasons"], stream=False, evidence="recorded")
def test_a_whole_answer() -> None:
    answer = whole(vllm, "vllm/06-chat")
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (9, 17)
    assert answer.finish_reason == "stop"
    assert answer.text == "Hello! I am a tiny test model. How can I help you today?"


@pytest.mark.proves("chat", "vllm", ["text", "usage", "finish_reasons"], stream=True, evidence="recorded")
def test_usage_on_every_chunk_is_given_as_it_was_asked_for() -> None:
    assembly, chunks = stream(vllm, trace("vllm/12-chat_stream_usage_cont").body)
    assert assembly.usage is not None
    assert chunks[-1]["choices"] == []
    assert sum(one.get("usage") is not None and not one["choices"] for one in chunks) == 1


@pytest.mark.proves("chat", "vllm", "stop", stream=False, evidence="recorded")
def test_the_stop_sequence_that_was_hit_is_named() -> None:
    assert whole(vllm, "vllm/15-chat_stop").body["choices"][0]["stop_reason"] == "four"


@pytest.mark.proves("chat", "vllm", "logprobs", stream=False, evidence="recorded")
def test_log_probabilities_arrive() -> None:
    content = whole(vllm, "vllm/16-chat_logprobs").body["choices"][0]["logprobs"]["content"]
    assert content[0]["top_logprobs"]


@pytest.mark.proves("chat", "vllm", "logprobs", stream=True, evidence="recorded")
def test_log_probabilities_arrive_in_a_stream() -> None:
    _, chunks = stream(vllm, trace("vllm/17-chat_stream_logprobs").body)
    assert any(choice.get("logprobs") for one in chunks for choice in one["choices"])


@pytest.mark.proves("chat", "vllm", "limits", stream=False, evidence="recorded")
@pytest.mark.parametrize("name", ["vllm/07-chat_length", "vllm/08-chat_mct"])
def test_a_limit_of_output_ends_with_length(name: str) -> None:
    assert whole(vllm, name).finish_reason == "length"


@pytest.mark.proves("chat", "vllm", "tools", stream=False, evidence="recorded")
def test_a_tool_is_called() -> None:
    answer = whole(vllm, "vllm/20-tools_auto")
    function = answer.body["choices"][0]["message"]["tool_calls"][0]["function"]
    assert (answer.finish_reason, orjson.loads(function["arguments"])) == ("tool_calls", {"city": "Prague"})


@pytest.mark.proves("chat", "vllm", "tool_choice", stream=False, evidence="recorded")
def test_the_finish_reason_is_stop_for_a_named_tool_choice_and_tool_calls_for_required() -> None:
    """OpenAI says `stop` there too: what tells a client of the call is the call."""
    named, required = whole(vllm, "vllm/24-tools_named"), whole(vllm, "vllm/22-tools_required")
    assert (named.finish_reason, required.finish_reason) == ("stop", "tool_calls")
    assert named.body["choices"][0]["message"]["tool_calls"]
    assert required.body["choices"][0]["message"]["tool_calls"]


@pytest.mark.proves("chat", "vllm", "tools", stream=True, evidence="recorded")
@pytest.mark.parametrize("name", ["vllm/21-tools_auto_stream", "vllm/23-tools_required_stream"])
def test_the_first_tool_delta_has_no_arguments_and_later_ones_have_content_null(name: str) -> None:
    _, chunks = stream(vllm, trace(name).body)
    deltas = [choice["delta"] for one in chunks for choice in one["choices"]]
    calls = [call for delta in deltas for call in delta.get("tool_calls") or ()]
    assert [call["function"]["name"] for call in calls if call["function"].get("name")] == ["get_weather"]
    assert sum(call.get("id") is not None for call in calls) == 1
    text = "".join(call["function"].get("arguments") or "" for call in calls)
    assert orjson.loads(text).keys() == {"city"}


@pytest.mark.proves("chat", "vllm", "tool_results", stream=False, evidence="recorded")
def test_the_result_of_a_tool_is_answered() -> None:
    assert whole(vllm, "vllm/25-tools_result").text


NO_OBJECT = ["vllm-random/24-tools_named", "vllm/90-tools_named_offdist", "vllm/91-tools_required_offdist"]


@pytest.mark.proves("chat", "vllm", "broken_answers", evidence="recorded")
@pytest.mark.parametrize("name", NO_OBJECT)
def test_forced_tool_arguments_that_are_no_json_object_are_a_fault(name: str) -> None:
    body = (FOLDER / f"{name}.json").read_bytes() if "offdist" in name else trace(name).body
    made = vllm.answer(body, wire.rendering())
    assert isinstance(made, Fault)
    assert (made.kind, made.code, made.final) == ("malformed", "invalid_tool_arguments", False)


def test_forced_tool_arguments_that_are_no_json_object_are_given_by_another_model(at: Setting) -> None:
    at.replays("vllm-random/24-tools_named")
    has_fallen_back(at.ask(tools=TOOLS))
    error = is_error(at.ask("first", tools=TOOLS), 502, "upstream_malformed")
    assert "tool call" in error["message"]


def test_arguments_that_are_no_json_object_end_a_stream_with_an_error() -> None:
    call = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "fal"}}
    more = {"index": 0, "function": {"arguments": "se"}}
    data = wire.events(
        wire.chunk({"role": "assistant", "tool_calls": [call]}),
        wire.chunk({"tool_calls": [more]}),
        wire.chunk(finish="tool_calls"),
        "[DONE]",
    )
    assembly, sent = wire.assembled(wire.pieces(vllm, [data]))
    assert assembly.failure is not None
    assert assembly.failure.code == "invalid_tool_arguments"
    assert b"[DONE]" not in sent
    cut = data.replace(b'"tool_calls"}]', b'"length"}]')
    assert wire.assembled(wire.pieces(vllm, [cut]))[0].complete  # a client knows that such a call is cut


@pytest.mark.proves("chat", "vllm", "reasoning", stream=False, evidence="recorded")
def test_reasoning_is_in_reasoning() -> None:
    message = whole(vllm, "vllm-reasoning/18-chat_think").body["choices"][0]["message"]
    assert message["reasoning"]
    assert message["reasoning_content"] == message["reasoning"]


@pytest.mark.proves("chat", "vllm", "reasoning", stream=True, evidence="recorded")
def test_reasoning_is_in_reasoning_of_every_delta() -> None:
    _, chunks = stream(vllm, trace("vllm-reasoning/19-chat_think_stream").body)
    deltas = [choice["delta"] for one in chunks for choice in one["choices"]]
    told = ["".join(delta.get(name) or "" for delta in deltas) for name in ("reasoning", "reasoning_content")]
    assert told[0] == told[1] != ""


def test_json_can_loop_on_whitespace_until_length() -> None:
    """What came is given, with the finish reason that tells a client not to read it."""
    answer = whole(vllm, "vllm/26-json_schema")
    assert answer.finish_reason == "length"
    assert answer.text.rstrip() == '{"ok":'
    assert whole(vllm, "vllm/27-json_object").finish_reason == "length"


@pytest.mark.proves("chat", "vllm", "tool_choice", stream=False, evidence="recorded")
@pytest.mark.parametrize("name", ["vllm/20-tools_auto", "vllm/22-tools_required", "vllm/24-tools_named"])
def test_a_tool_choice_is_sent_as_the_recorded_one_was(name: str) -> None:
    asked = orjson.loads(trace(name).request)
    fields = {field: asked[field] for field in ("messages", "tools", "tool_choice") if field in asked}
    body, warnings = encoded(vllm, "vllm", **fields)
    assert {field: body.get(field) for field in fields} == fields
    assert warnings == ()


@pytest.mark.proves("chat", "vllm", "tool_choice", evidence="specification")
@pytest.mark.parametrize("choice", ["none", "auto", "required", {"type": "function", "function": {"name": "f"}}])
def test_a_tool_choice_passes_as_it_is(choice: object) -> None:
    body, warnings = encoded(vllm, "vllm", tools=TOOLS, tool_choice=choice)
    assert (body["tool_choice"], body["tools"], warnings) == (choice, TOOLS, ())


# --- requests ---------------------------------------------------------------------------------------------------------


@pytest.mark.proves("chat", "vllm", "system", evidence="recorded")
def test_the_developer_role_is_sent_as_system() -> None:
    turns = [{"role": "developer", "content": "x"}, {"role": "user", "content": "hi"}]
    body, warnings = encoded(vllm, "vllm", messages=turns)
    assert body["messages"][0]["role"] == "system"
    assert warnings == ("info;rewritten;developer",)
    assert whole(vllm, "vllm/09-chat_dev_role").text


def test_its_own_messages_and_responses_are_never_used() -> None:
    """They have ids of chat, foreign error types, and signatures of thinking that are invented."""
    for kind in ("vllm", "tgi", "ollama", "llamacpp", "openai_compatible"):
        assert relay(kind, "messages") is None
    assert trace("vllm/37-messages").body.startswith(b'{"id":"chatcmpl-')
    made = orjson.loads(trace("vllm-reasoning/37-messages").body)["content"][0]
    block = {**made, "signature": tag(made["signature"], "vllm.example.org")}
    hi = {"role": "user", "content": "x"}
    thought = {"reasoning_content": made["thinking"], "reasoning": made["thinking"], "thinking_blocks": [block]}
    body, warnings = encoded(
        backend("anthropic"), "anthropic", messages=[hi, {"role": "assistant", "content": "y", **thought}, hi]
    )
    assert "warning;foreign;thinking_blocks" in warnings
    said = [hi, {"role": "assistant", "content": [block, {"type": "text", "text": "y"}]}, hi]
    request = messages.parse(orjson.dumps({"model": "auto", "max_tokens": 9, "messages": said}))
    own = relay("anthropic", "messages")
    assert own is not None
    relayed = own.encode(request, wire.model("anthropic"))
    assert "warning;foreign;messages.thinking" in relayed.warnings
    for sent in (orjson.dumps(body), relayed.call.body):
        assert made["signature"].encode() not in sent
        assert made["thinking"].encode() not in sent


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.proves("chat", "vllm", "errors", evidence="recorded")
def test_the_error_code_is_an_integer(at: Setting) -> None:
    at.replays("vllm/52-err_temp")
    error = is_error(at.ask(temperature=-3), 400)
    assert error["param"] == "temperature"
    assert len(at.asked()) == 1


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("vllm/52-err_temp", "BadRequestError"),
        ("vllm/53-err_type", "Bad Request"),
        ("vllm/47-err_model", "NotFoundError"),
    ],
)
def test_error_types_are_words_of_its_own(name: str, kind: str) -> None:
    found = fault(vllm, name)
    assert (found.type, found.code) == (kind, None)


def test_an_unknown_path_is_a_detail(at: Setting) -> None:
    at.replays("vllm/59-err_path")
    has_fallen_back(at.ask())
    is_error(at.ask("first"), 502, "upstream_not_found")


def test_a_method_that_is_not_allowed_is_a_detail() -> None:
    assert fault(vllm, "vllm/60-err_method").message == "Method Not Allowed"


@pytest.mark.proves("chat", "vllm", "context_overflow", evidence="recorded")
@pytest.mark.parametrize("streamed", [False, True])
def test_context_overflow_is_a_400_with_param_input_tokens_and_no_code_also_for_a_stream(
    at: Setting, streamed: bool
) -> None:
    at.replays("vllm/50-err_ctx_stream" if streamed else "vllm/49-err_ctx")
    has_fallen_back(at.ask(stream=streamed))
    reply = at.ask("first", stream=streamed)
    assert reply.headers["content-type"] == "application/json"
    is_error(reply, 400, "context_length_exceeded")


def test_max_tokens_beyond_the_limit_is_refused_and_not_clamped(at: Setting) -> None:
    at.replays("vllm/51-err_maxtok")
    has_fallen_back(at.ask())
    is_error(at.ask("first"), 400, "context_length_exceeded")


def test_a_schema_that_is_none_is_refused(at: Setting) -> None:
    at.replays("vllm/57-err_schema")
    assert "Grammar error" in is_error(at.ask(), 400)["message"]


def test_two_answers_at_temperature_0_are_refused(at: Setting) -> None:
    at.replays("vllm/13-chat_n2")
    assert "greedy sampling" in is_error(at.ask(n=2, temperature=0), 400)["message"]


def test_an_image_for_a_model_without_eyes_is_refused(at: Setting) -> None:
    at.replays("vllm/28-vision_part")
    assert "not a multimodal model" in is_error(at.ask(), 400)["message"]


def test_a_missing_model_is_accepted_by_it_and_not_by_the_router(at: Setting) -> None:
    assert trace("vllm/48-err_nomodel").status == 200
    is_error(at.router.ask("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]}), 400)
    at.replays("vllm/48-err_nomodel")
    assert at.ask().json()["model"] == "first"
    assert at.asked()[0].body["model"] == "first"


@pytest.mark.proves("chat", "vllm", "unknown_fields", evidence="recorded")
def test_unknown_fields_and_roles_are_accepted_by_it(at: Setting) -> None:
    at.replays("vllm/61-unknown_field")
    assert at.ask(frobnicate=1).status == 200
    assert at.asked()[0].body["frobnicate"] == 1
    assert trace("vllm/56-err_role").status == 200
    wizard = {"model": "auto", "messages": [{"role": "wizard", "content": "x"}]}
    is_error(at.router.ask("/v1/chat/completions", wizard), 400)


def test_no_request_id_is_sent_and_the_router_gives_its_own(at: Setting) -> None:
    assert not any("request-id" in name for name in at.replays("vllm/06-chat").headers)
    reply = at.ask()
    assert reply.headers["x-request-id"]
    assert text_of(reply).startswith("Hello!")
    assert at.ask(headers={"x-request-id": "mine"}).headers["x-request-id"] == "mine"


def test_health_is_empty_and_a_sign_of_life(at: Setting) -> None:
    for _ in range(100):
        if "/health" in at.backend.asked_pages:
            break
        at.ask("spare")
    assert "/health" in at.backend.asked_pages
    at.replays("vllm/06-chat")
    assert at.ask().headers["x-router-model"] == "first"


def test_a_broken_stream_falls_back_before_content_and_ends_with_an_error_after_it(at: Setting) -> None:
    at.behaves(sends(page(b"<html>", 200)))
    has_fallen_back(at.ask())
    reply = at.ask(stream=True)
    has_fallen_back(reply)
    assert events(reply)[-1] == "[DONE]"
