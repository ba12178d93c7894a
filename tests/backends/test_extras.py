"""What a Messages client's request looks like where OpenAI's dialect is spoken, and where it goes back to Anthropic."""

from typing import Any

import orjson
import pytest
from openai.types.chat import CompletionCreateParams
from pydantic import TypeAdapter

from llm_inference_router.backends.registry import backend
from llm_inference_router.dialects import chat
from llm_inference_router.dialects.messages import parse
from llm_inference_router.dialects.responses import Responses
from llm_inference_router.dialects.signature import tag
from llm_inference_router.dialects.warning import joined
from llm_inference_router.types import Endpoint
from tests.backends import wire
from tests.serving.claude import events, message

_PARAMS: TypeAdapter[Any] = TypeAdapter(CompletionCreateParams)
HI = {"role": "user", "content": "hi"}
CACHED = {"cache_control": {"type": "ephemeral"}}
IMAGE = {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}}
PART = {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}
HOST = "api.example.com"


def use(number: int) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_{number}", "name": "f", "input": {}}


def result(number: int, content: Any, **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": content, **more}


def encoded(
    name: str, *turns: Any, capabilities: tuple[str, ...] = (), **fields: Any
) -> tuple[dict[str, Any], list[str]]:
    doc = {"model": "auto", "max_tokens": 5000, "messages": list(turns) or [HI], **fields}
    model = wire.model(name, endpoints=(Endpoint("e", f"https://{HOST}/v1"),), capabilities=frozenset(capabilities))
    made = backend(name).encode(parse(orjson.dumps(doc)), model)
    body = orjson.loads(made.call.body)
    if name == "openai":
        _PARAMS.validate_python(body)
    return body, list(made.warnings)


LONG = "chatcmpl-tool-" + "0123456789abcdef" * 2  # as vLLM names a call


def test_names_that_openai_refuses_for_their_length_are_exchanged_for_their_digests() -> None:
    turns = [
        HI,
        {"role": "assistant", "content": [{**use(1), "id": LONG}, use(2)]},
        {"role": "user", "content": [{**result(1, "x"), "tool_use_id": LONG}, result(2, "y")]},
    ]
    body, warnings = encoded("openai", *turns, metadata={"user_id": "user_" + "a" * 150})
    calls = body["messages"][1]["tool_calls"]
    assert [message["tool_call_id"] for message in body["messages"][2:]] == [call["id"] for call in calls]
    assert len(calls[0]["id"]) == 40
    assert calls[1]["id"] == "toolu_2"
    assert len(body["user"]) == 64
    assert warnings == ["info;rewritten;metadata.user_id", "info;rewritten;messages"]
    again, _ = encoded("openai", *turns, metadata={"user_id": "user_" + "a" * 150})
    assert again == body
    assert encoded("vllm", *turns)[0]["messages"][1]["tool_calls"][0]["id"] == LONG
    assert encoded("openai", HI, metadata={"user_id": "u" * 64})[1] == []


def said(role: str, *blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": role, "content": list(blocks)}


def named(dialect: str, name: str, doc: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What is sent through the hub, and all warnings that the client is given."""
    read = {"chat": chat.parse, "messages": parse, "responses": Responses().parse}[dialect]
    request = read(orjson.dumps({"model": "auto", **doc}))
    made = backend(name).encode(request, wire.model(name))
    return orjson.loads(made.call.body), [one for one in joined((*request.warnings, *made.warnings)).split(", ") if one]


BREAKPOINT = {"type": "input_text", "text": "q", "prompt_cache_breakpoint": {"type": "ephemeral"}}
SUMMARY = {"type": "summary_text", "text": "Hm."}
FUNCTION_CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
EVERYTHING = [
    {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b", **CACHED}]},
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": tag("s", HOST)},
            {"type": "text", "text": "I ask."},
            use(1),
            {**use(2), **CACHED},
        ],
    },
    {
        "role": "user",
        "content": [result(1, [{"type": "text", "text": "see"}, IMAGE]), result(2, "gone", is_error=True, **CACHED)],
    },
]


@pytest.mark.proves("messages", "openai", ["system", "tool_results", "limits"], evidence="specification")
@pytest.mark.proves("messages", "openai", "signatures", evidence="specification", lost="dropped")
def test_nothing_that_openai_refuses_is_left() -> None:
    tool = {"name": "f", "input_schema": {"type": "object"}, **CACHED}
    system = [{"type": "text", "text": "one"}, {"type": "text", "text": "two", **CACHED}]
    body, warnings = encoded("openai", *EVERYTHING, system=system, tools=[tool], top_k=5, stop_sequences=list("abcde"))
    assert body["messages"] == [
        {"role": "system", "content": "one\n\ntwo"},
        {"role": "user", "content": "a\n\nb"},
        {
            "role": "assistant",
            "content": "I ask.",
            "tool_calls": [
                {"id": f"toolu_{n}", "type": "function", "function": {"name": "f", "arguments": "{}"}} for n in (1, 2)
            ],
        },
        {"role": "tool", "tool_call_id": "toolu_1", "content": "see"},
        {"role": "tool", "tool_call_id": "toolu_2", "content": "Error: gone"},
        {"role": "user", "content": [PART]},
    ]
    assert body["max_completion_tokens"] == 5000
    assert {"max_tokens", "top_k", "thinking"}.isdisjoint(body)
    assert body["stop"] == list("abcd")
    assert "cache_control" not in orjson.dumps(body).decode()
    assert set(warnings) == {
        "warning;foreign;thinking_blocks",
        "info;dropped;cache_control",
        "info;rewritten;messages",
        "warning;dropped;top_k",
        "warning;clamped;stop_sequences",
    }


def test_an_image_of_a_result_goes_before_what_the_user_says_next() -> None:
    turns = [HI, {"role": "assistant", "content": [use(1)]}]
    answered = {"role": "user", "content": [result(1, [IMAGE]), {"type": "text", "text": "And?"}]}
    body, _ = encoded("vllm", *turns, answered)
    assert body["messages"][2:] == [
        {"role": "tool", "tool_call_id": "toolu_1", "content": "(The image is in the next message.)"},
        {"role": "user", "content": [PART, {"type": "text", "text": "And?"}]},
    ]


def test_an_error_that_says_so_itself_is_not_said_twice() -> None:
    answered = {"role": "user", "content": [result(1, "error: no such file", is_error=True)]}
    body, _ = encoded("vllm", HI, {"role": "assistant", "content": [use(1)]}, answered)
    assert body["messages"][2] == {"role": "tool", "tool_call_id": "toolu_1", "content": "error: no such file"}


@pytest.mark.parametrize(
    ("name", "capabilities", "kept"),
    [("openai", ("reasoning",), "high"), ("vllm", ("reasoning",), "high"), ("openai", (), None), ("ollama", (), None)],
)
def test_an_effort_goes_to_models_that_reason(name: str, capabilities: tuple[str, ...], kept: str | None) -> None:
    wanted = {"type": "enabled", "budget_tokens": 20_000}
    body, warnings = encoded(name, capabilities=capabilities, thinking=wanted)
    assert body.get("reasoning_effort") == kept
    assert ("warning;dropped;thinking" in warnings) is (kept is None)


@pytest.mark.parametrize(
    ("wanted", "capabilities", "warned"),
    [
        ({"thinking": {"type": "adaptive"}}, (), ["info;dropped;thinking"]),
        ({"thinking": {"type": "adaptive"}}, ("reasoning",), ["info;dropped;thinking"]),
        ({"thinking": {"type": "disabled"}}, (), []),
        ({"thinking": {"type": "disabled"}}, ("reasoning",), ["warning;dropped;thinking"]),
        ({"output_config": {"effort": "high"}}, (), ["warning;dropped;output_config.effort"]),
        ({"output_config": {"effort": "high"}, "thinking": {"type": "adaptive"}}, ("reasoning",), []),
    ],
)
def test_what_is_said_of_thinking_reaches_the_model_or_is_named(
    wanted: dict[str, Any], capabilities: tuple[str, ...], warned: list[str]
) -> None:
    _, warnings = encoded("vllm", capabilities=capabilities, **wanted)
    assert [one for one in warnings if "thinking" in one or "effort" in one] == warned


def test_other_servers_keep_max_tokens_and_what_they_understand() -> None:
    body, warnings = encoded("vllm", top_k=5, stop_sequences=list("abcde"), service_tier="standard_only")
    assert (body["max_tokens"], body["top_k"], len(body["stop"])) == (5000, 5, 5)
    assert "service_tier" not in body
    assert warnings == ["info;dropped;service_tier"]


TOOL = {"name": "f", "input_schema": {"type": "object"}}
DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}
CITED = {"type": "char_location", "cited_text": "x", "document_index": 0, "start_char_index": 0, "end_char_index": 1}


@pytest.mark.proves("messages", ["openai", "vllm"], "caching", evidence="specification", lost="dropped")
@pytest.mark.parametrize("name", ["openai", "vllm"])
@pytest.mark.parametrize(
    "fields",
    [
        {"system": [{"type": "text", "text": "s", **CACHED}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "q", **CACHED}]}]},
        {"messages": [HI, {"role": "assistant", "content": [{**use(1), **CACHED}, {**use(2), **CACHED}]}]},
        {"tools": [{**TOOL, **CACHED}]},
        CACHED,
        {**CACHED, "system": [{"type": "text", "text": "s", **CACHED}], "tools": [{**TOOL, **CACHED}]},
    ],
)
def test_a_cache_mark_that_nobody_is_sent_is_named_once(name: str, fields: dict[str, Any]) -> None:
    body, warnings = named("messages", name, {"max_tokens": 9, "messages": [HI], **fields})
    assert "cache_control" not in orjson.dumps(body).decode()
    assert warnings == ["info;dropped;cache_control"]


@pytest.mark.proves("messages", ["openai", "vllm"], "citations", evidence="specification", lost="dropped")
@pytest.mark.parametrize("name", ["openai", "vllm"])
@pytest.mark.parametrize(
    ("fields", "warned"),
    [
        ({"messages": [said("user", {**DOCUMENT, "context": "c"})]}, "warning;dropped;document.context"),
        ({"messages": [said("user", {**DOCUMENT, "citations": {"enabled": False}})]}, None),
        (
            {"messages": [said("user", {**DOCUMENT, "citations": {"enabled": True}})]},
            "warning;dropped;document.citations",
        ),
        (
            {"messages": [HI, said("assistant", {"type": "text", "text": "a", "citations": [CITED]}), HI]},
            "info;dropped;text.citations",
        ),
        ({"tools": [{**TOOL, "defer_loading": True}]}, "info;dropped;tools.defer_loading"),
        ({"tools": [{**TOOL, "eager_input_streaming": True}]}, "info;dropped;tools.eager_input_streaming"),
        ({"tools": [{**TOOL, "input_examples": [{}]}, TOOL]}, "warning;dropped;tools.input_examples"),
        ({"service_tier": "auto"}, "info;dropped;service_tier"),
        ({"metadata": {"user_id": "u", "team": "t"}}, "warning;dropped;metadata"),
    ],
)
def test_what_of_a_messages_request_has_no_counterpart_is_named(
    name: str, fields: dict[str, Any], warned: str | None
) -> None:
    _, warnings = named("messages", name, {"max_tokens": 9, "messages": [HI], **fields})
    assert warnings == ([warned] if warned else [])


RESULT = {"type": "function_call_output", "call_id": "c", "output": "o"}
TEXT_OUT = {"type": "output_text", "text": "a"}
SHOWN = {"type": "input_image", "image_url": "https://x.example/a.png"}


@pytest.mark.parametrize("name", ["vllm", "openai", "ollama"])
@pytest.mark.parametrize(
    ("fields", "warned"),
    [
        ({"input": [{"role": "user", "content": [BREAKPOINT, BREAKPOINT]}]}, "info;dropped;prompt_cache_breakpoint"),
        ({"include": ["reasoning.encrypted_content"]}, "info;dropped;include"),
        ({"include": ["web_search_call.action.sources"]}, "info;dropped;include"),
        ({"input": [{"type": "reasoning", "summary": [SUMMARY]}, FUNCTION_CALL, RESULT]}, "info;dropped;reasoning"),
        ({"tools": [{"type": "function", "name": "f", "parameters": {}, "foo": 1}]}, "warning;dropped;tools.foo"),
        ({"tools": [{"type": "function", "name": "f", "parameters": {}, "foo": None}]}, None),
        (
            {"tools": [{"type": "function", "name": "f", "parameters": {}, "defer_loading": True}]},
            "info;dropped;tools.defer_loading",
        ),
        ({"input": [{**HI, "foo": 1}]}, "warning;dropped;message.foo"),
        ({"input": [{**HI, "foo": None, "id": "msg_1", "status": "completed"}]}, None),
        ({"input": [HI, {"role": "assistant", "content": "a", "phase": "commentary"}]}, "info;dropped;message.phase"),
        ({"input": [{**FUNCTION_CALL, "namespace": "n"}, RESULT]}, "warning;dropped;function_call.namespace"),
        ({"input": [{**FUNCTION_CALL, "foo": 1}, RESULT]}, "warning;dropped;function_call.foo"),
        ({"input": [FUNCTION_CALL, {**RESULT, "foo": 1}]}, "warning;dropped;function_call_output.foo"),
        ({"input": [HI, {"type": "reasoning", "summary": [], "foo": 1}]}, "warning;dropped;reasoning.foo"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_text", "text": "q", "foo": 1}]}]},
            "warning;dropped;input_text.foo",
        ),
        (
            {"input": [HI, {"role": "assistant", "content": [{**TEXT_OUT, "annotations": [], "logprobs": []}]}]},
            None,
        ),
        (
            {"input": [HI, {"role": "assistant", "content": [{**TEXT_OUT, "annotations": [{}]}]}]},
            "info;dropped;output_text.annotations",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_data": "d", "file_url": "u"}]}]},
            "info;dropped;input_file.file_url",
        ),
        (
            {"input": [{"role": "user", "content": [{**SHOWN, "file_id": "f"}]}]},
            "info;dropped;input_image.file_id",
        ),
    ],
)
def test_what_of_a_responses_request_has_no_counterpart_is_named(
    name: str, fields: dict[str, Any], warned: str | None
) -> None:
    _, warnings = named("responses", name, {"input": "hi", **fields})
    assert warnings == ([warned] if warned else [])


@pytest.mark.parametrize(
    ("fields", "warned"),
    [
        ({"input": [{"role": "developer", "content": [TEXT_OUT, SHOWN]}, HI]}, "warning;dropped;input_image"),
        ({"input": [HI, {"role": "developer", "content": "d"}]}, "info;rewritten;input"),
        ({"input": [{"role": "user", "content": [{**SHOWN, "detail": "low"}]}]}, "info;dropped;input_image.detail"),
        (
            {"input": [{"role": "user", "content": [TEXT_OUT, {"type": "input_file", "file_id": "f"}]}]},
            "warning;dropped;input_file",
        ),
        ({"input": [{**FUNCTION_CALL, "arguments": "x"}, RESULT]}, "info;rewritten;function_call"),
        ({"text": {"format": {"type": "json_object"}}}, "warning;weakened;text.format"),
        ({"text": {"verbosity": "low"}}, "warning;dropped;text.verbosity"),
        ({"reasoning": {"effort": "utmost"}}, "warning;dropped;reasoning.effort"),
        ({"safety_identifier": "a", "user": "b"}, "warning;dropped;user"),
    ],
)
def test_what_anthropic_lacks_of_a_responses_request_is_named_in_the_clients_words(
    fields: dict[str, Any], warned: str
) -> None:
    _, warnings = named("responses", "anthropic", {"input": "hi", **fields})
    assert [one for one in warnings if ";added;" not in one] == [warned]


def test_what_a_server_is_told_otherwise_is_named_in_the_words_of_a_responses_client() -> None:
    _, warnings = named("responses", "ollama", {"input": "hi", "max_output_tokens": 9})
    assert warnings == ["info;rewritten;max_output_tokens"]
    asked = {"text": {"format": {"type": "json_schema", "name": "n", "schema": {}}}}
    _, warnings = named("responses", "llamacpp", {"input": "hi", **asked})
    assert warnings == ["info;rewritten;text.format"]


@pytest.mark.parametrize(
    ("message", "warned"),
    [
        ({**HI, "name": "bob"}, "warning;dropped;messages.name"),
        ({**HI, "name": None}, None),
        ({**HI, "foo": 1}, "warning;dropped;messages.foo"),
        ({"role": "assistant", "content": "a", "refusal": None, "annotations": []}, None),
        ({"role": "assistant", "content": "a", "annotations": [{}]}, "info;dropped;messages.annotations"),
        ({"role": "assistant", "content": "a", "audio": {"id": "a"}}, "warning;dropped;messages.audio"),
        ({"role": "assistant", "content": "a", "refusal": "r"}, "warning;dropped;messages.refusal"),
        ({"role": "assistant", "content": None, "refusal": "r"}, None),
        ({"role": "assistant", "content": "a", "reasoning_content": "r"}, "info;dropped;messages.reasoning"),
    ],
)
def test_what_of_a_chat_message_anthropic_has_no_counterpart_for_is_named(
    message: dict[str, Any], warned: str | None
) -> None:
    _, warnings = named("chat", "anthropic", {"messages": [HI, message, message, HI]})
    assert warnings == ([warned] if warned else [])


def test_a_beginning_of_the_answer_is_gone_on_with_where_it_can_be() -> None:
    turns = [HI, {"role": "assistant", "content": "The answer is"}]
    body, warnings = encoded("vllm", *turns, capabilities=("prefill",))
    assert body["continue_final_message"] is True
    assert warnings == []
    assert encoded("openai", *turns)[1] == ["warning;weakened;messages"]


def test_a_chat_clients_signed_reasoning_stays_with_its_provider() -> None:
    blocks = [{"type": "thinking", "thinking": "Hm.", "signature": tag("s", "api.anthropic.com")}]
    turns = [HI, {"role": "assistant", "content": "a", "thinking_blocks": blocks, "cache_control": {}}, HI]
    request = chat.parse(orjson.dumps({"model": "auto", "messages": turns}))
    made = backend("openai_compatible").encode(request, wire.model("openai_compatible"))
    assert orjson.loads(made.call.body)["messages"][1] == {"role": "assistant", "content": "a", "cache_control": {}}
    assert made.warnings == ("warning;foreign;thinking_blocks",)


# --- through the hub to Anthropic -------------------------------------------------------------------------------------


def test_through_the_hub_it_is_the_same_request_again() -> None:
    """Another model's rest of a broken answer goes this way."""
    thinking = {"type": "enabled", "budget_tokens": 3000}
    tool = {"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {}}, **CACHED}
    more: dict[str, Any] = {
        "tools": [tool],
        "thinking": thinking,
        "metadata": {"user_id": "u"},
        "stop_sequences": ["x"],
    }
    body, warnings = encoded("anthropic", *EVERYTHING, system=[{"type": "text", "text": "s", **CACHED}], **more)
    expected = orjson.loads(orjson.dumps(EVERYTHING))
    expected[1]["content"][0]["signature"] = "s"
    assert body["messages"] == expected
    assert body["system"] == [{"type": "text", "text": "s", **CACHED}]
    assert {name: body[name] for name in more} == more
    assert warnings == []


def test_through_the_hub_thinking_is_off_where_it_cannot_be_on() -> None:
    thinking = {"type": "enabled", "budget_tokens": 3000}
    loop = [HI, {"role": "assistant", "content": [use(1)]}, {"role": "user", "content": [result(1, "x")]}]
    prefilled = [HI, {"role": "assistant", "content": "The answer"}]
    for turns in (loop, prefilled):
        body, warnings = encoded("anthropic", *turns, thinking=thinking)
        assert body["thinking"] == {"type": "disabled"}
        assert "warning;dropped;thinking" in warnings


def test_a_chat_clients_budget_of_reasoning_is_kept_and_what_it_excludes_is_left_out() -> None:
    fields = {"thinking": {"type": "enabled", "budget_tokens": 2000}, "temperature": 0.5, "reasoning_effort": "low"}
    request = chat.parse(orjson.dumps({"model": "auto", "messages": [HI], "max_tokens": 4000, **fields}))
    made = backend("anthropic").encode(request, wire.model("anthropic"))
    body = orjson.loads(made.call.body)
    assert body["thinking"] == fields["thinking"]
    assert "temperature" not in body
    assert made.warnings == ("warning;dropped;temperature",)


CONTENT = [
    {"type": "thinking", "thinking": "Hm. ", "signature": "s"},
    {"type": "redacted_thinking", "data": "d"},
    {"type": "thinking", "thinking": "So.", "signature": "t"},
    {"type": "text", "text": "Yes."},
]


@pytest.mark.proves("chat", "anthropic", "signatures", evidence="specification")
def test_signed_reasoning_comes_back_to_chat_clients_tagged_whole_and_streamed() -> None:
    blocks = [
        {"type": "thinking", "thinking": "Hm. ", "signature": tag("s", "")},
        {"type": "redacted_thinking", "data": tag("d", "")},
        {"type": "thinking", "thinking": "So.", "signature": tag("t", "")},
    ]
    anthropic = backend("anthropic")
    got: Any = anthropic.answer(orjson.dumps(message(CONTENT, 1)), wire.rendering())
    said = got.body["choices"][0]["message"]
    assert (said["thinking_blocks"], said["reasoning_content"]) == (blocks, "Hm. So.")
    assert got.body["usage"]["prompt_tokens_details"] == {"cached_tokens": 30, "cache_write_tokens": 20}
    found = wire.pieces(anthropic, [wire.events(*events(CONTENT, 1))])
    deltas = [orjson.loads(one.chunk)["choices"][0]["delta"] for one in found if one.chunk and b'"delta"' in one.chunk]
    assert [block for delta in deltas for block in delta.get("thinking_blocks", ())] == blocks
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == "Hm. So."
