"""OpenAI's own traps, each by name. From specification: its published API reference and client."""

from collections.abc import Iterator
from typing import Any

import pytest

from llm_inference_router.backends.limits import duration
from llm_inference_router.backends.registry import backend
from tests.backends import wire
from tests.serving.router import events
from tests.serving.upstream import STREAM_HEAD, chunked, sends
from tests.traps.setting import Setting, encoded, setting, stream

openai = backend("openai")


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    with setting(tmp_path_factory.mktemp("openai"), "openai") as made:
        yield made


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None) -> dict[str, Any]:
    """As it comes where usage was asked for."""
    return wire.chunk(delta, finish, usage=None, obfuscation="h4Q", service_tier="default", system_fingerprint="fp_1")


USAGE = {
    "prompt_tokens": 19,
    "completion_tokens": 10,
    "total_tokens": 29,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 3, "audio_tokens": 0, "accepted_prediction_tokens": 0},
}
LAST = wire.chunk() | {"choices": [], "usage": USAGE, "obfuscation": "z"}
TEXT = wire.events(
    chunk({"role": "assistant", "content": "", "refusal": None}),
    chunk({"content": "Hello"}),
    chunk({"content": " there."}),
    chunk(finish="stop"),
    LAST,
    "[DONE]",
)


@pytest.mark.proves("chat", "openai", ["text", "usage", "cached_usage"], stream=True, evidence="specification")
def test_every_chunk_has_usage_null_and_obfuscation_and_the_last_has_no_choices(at: Setting) -> None:
    assembly, chunks = stream(openai, TEXT)
    assert assembly.text == "Hello there."
    assert assembly.usage is not None
    assert (assembly.usage.cached_tokens, assembly.usage.reasoning_tokens) == (4, 3)
    assert [one["choices"] for one in chunks if one["usage"]] == [[]]
    assert all("obfuscation" in one for one in chunks)
    at.behaves(sends(STREAM_HEAD + chunked(TEXT) + b"0\r\n\r\n"))
    found = [one for one in events(at.ask(stream=True)) if isinstance(one, dict)]
    assert all(not one.get("usage") and one["choices"] for one in found)
    assert at.asked()[0].body["stream_options"] == {"include_usage": True}


@pytest.mark.proves("chat", "openai", ["tools", "parallel_tools"], stream=True, evidence="specification")
def test_one_tool_chunk_can_hold_role_id_name_and_empty_arguments() -> None:
    def call(index: int, **fields: Any) -> dict[str, Any]:
        return {"index": index, **fields}

    first = call(0, id="call_1", type="function", function={"name": "f", "arguments": ""})
    second = call(1, id="call_2", type="function", function={"name": "g", "arguments": ""})
    data = wire.events(
        chunk({"role": "assistant", "content": None, "tool_calls": [first], "refusal": None}),
        chunk({"tool_calls": [call(0, function={"arguments": '{"a"'})]}),
        chunk({"tool_calls": [call(0, function={"arguments": ":1}"})]}),
        chunk({"tool_calls": [second]}),
        chunk(finish="tool_calls"),
        LAST,
        "[DONE]",
    )
    _, chunks = stream(openai, data)
    calls = [call for one in chunks for c in one["choices"] for call in c["delta"].get("tool_calls") or ()]
    assert [(one["index"], one["id"]) for one in calls if one.get("id")] == [(0, "call_1"), (1, "call_2")]
    spelt = ["".join(c["function"].get("arguments") or "" for c in calls if c["index"] == index) for index in (0, 1)]
    assert spelt == ['{"a":1}', "{}"]  # nothing at all is no JSON: a call without arguments is given an empty object


@pytest.mark.proves("chat", "openai", ["system", "limits", "reasoning_effort"], evidence="specification")
def test_the_developer_role_max_completion_tokens_and_every_effort_are_sent_as_they_are() -> None:
    messages = [{"role": "developer", "content": "x"}, {"role": "user", "content": "hi"}]
    for effort in ("none", "minimal", "low", "medium", "high", "xhigh", "max"):
        sent = {"messages": messages, "max_completion_tokens": 9, "reasoning_effort": effort}
        body, warnings = encoded(openai, "openai", **sent)
        assert {name: body[name] for name in sent} == sent
        assert warnings == ()


@pytest.mark.proves(
    "chat",
    "openai",
    [
        "prediction",
        "web_search",
        "service_tier",
        "seed",
        "logprobs",
        "n",
        "metadata",
        "audio",
        "schema",
        "custom_tools",
    ],
    evidence="specification",
)
def test_its_own_fields_are_sent_as_they_are() -> None:
    fields: dict[str, Any] = {
        "prediction": {"type": "content", "content": "x"},
        "web_search_options": {"search_context_size": "low"},
        "service_tier": "flex",
        "seed": 1,
        "logprobs": True,
        "top_logprobs": 2,
        "n": 2,
        "metadata": {"a": "b"},
        "safety_identifier": "u",
        "modalities": ["text", "audio"],
        "audio": {"voice": "alloy", "format": "wav"},
        "response_format": {"type": "json_schema", "json_schema": {"name": "p", "strict": True, "schema": {}}},
        "tools": [{"type": "custom", "custom": {"name": "sql"}}],
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}},
        "verbosity": "low",
    }
    body, warnings = encoded(openai, "openai", **fields)
    assert {name: body[name] for name in fields} == fields
    assert warnings == ()


@pytest.mark.proves("chat", "openai", ["caching", "signatures", "citations"], evidence="specification", lost="dropped")
def test_fields_that_it_would_refuse_are_left_out_and_only_for_it() -> None:
    mark = {"type": "ephemeral"}
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": [{"type": "text", "text": "s", "cache_control": mark}]},
        {"role": "user", "content": "hi", "cache_control": mark},
        {"role": "assistant", "content": None, "tool_calls": [call], "thinking_blocks": [thought],
         "reasoning_content": "hm", "citations": [{"type": "page_location"}]},
        {"role": "tool", "tool_call_id": "a", "content": "no", "is_error": True},
    ]  # fmt: skip
    tools = [{"type": "function", "function": {"name": "f"}, "cache_control": mark}]
    body, warnings = encoded(openai, "openai", messages=messages, tools=tools)
    assert body["messages"] == [
        {"role": "system", "content": [{"type": "text", "text": "s"}]},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": "no"},
    ]
    assert body["tools"] == [{"type": "function", "function": {"name": "f"}}]
    assert set(warnings) == {
        "warning;foreign;thinking_blocks",
        *(f"info;dropped;{name}" for name in ("cache_control", "citations", "is_error", "reasoning_content")),
    }
    for kind in ("openai_compatible", "vllm", "ollama"):
        body, warnings = encoded(backend(kind), kind, messages=messages, tools=tools)
        assert body["messages"][0] == messages[0]
        assert body["messages"][2] == {k: v for k, v in messages[2].items() if k != "thinking_blocks"}
        assert body["tools"] == tools
        assert warnings == ("warning;foreign;thinking_blocks",)


@pytest.mark.proves("chat", ["openai", "compatible", "vllm"], "tool_results", evidence="specification")
@pytest.mark.parametrize("kind", ["openai", "openai_compatible", "vllm"])
def test_an_image_in_the_result_of_a_tool_is_shown_by_the_user(kind: str) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    calls = [{"id": name, "type": "function", "function": {"name": "f", "arguments": "{}"}} for name in "ab"]
    text = {"type": "text", "text": "seen"}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "a", "content": [text, image]},
        {"role": "tool", "tool_call_id": "b", "content": [image]},
    ]
    body, warnings = encoded(backend(kind), kind, messages=messages)
    assert [one["role"] for one in body["messages"]] == ["user", "assistant", "tool", "tool", "user"]
    assert body["messages"][2]["content"] == [text]
    assert body["messages"][3]["content"][0]["type"] == "text"
    assert body["messages"][4]["content"] == [image, image]
    assert warnings == ("info;rewritten;messages",)
    followed = [*messages, {"role": "assistant", "content": "ok"}]
    after = encoded(backend(kind), kind, messages=followed)[0]["messages"]
    assert [one["role"] for one in after][-2:] == ["user", "assistant"]


@pytest.mark.proves("chat", "openai", "custom_tools", stream=True, evidence="specification")
def test_the_call_of_a_custom_tool_is_no_function() -> None:
    call = {"index": 0, "id": "call_1", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}
    data = wire.events(chunk({"role": "assistant", "tool_calls": [call]}), chunk(finish="tool_calls"), LAST, "[DONE]")
    sent = wire.assembled(wire.pieces(openai, [data]))[1]
    assert b'"custom":{"name":"sql","input":"SELECT 1"}' in sent
    assert b'"function"' not in sent


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("6m0s", 360.0), ("20ms", 0.02), ("1s", 1.0), ("1h2m3.5s", 3723.5), ("8.64s", 8.64), ("", None), ("soon", None)],
)
def test_durations_are_spelt_as_go_spells_them(text: str, seconds: float | None) -> None:
    assert duration(text) == (pytest.approx(seconds) if seconds is not None else None)


def test_rate_limit_resets_are_go_durations() -> None:
    headers = {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1m0s",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "6m0s",
        "x-ratelimit-remaining-project-tokens": "5",
        "x-ratelimit-reset-project-tokens": "9h",
    }
    assert openai.fault(429, headers, b"").retry_after_s == 360
    assert openai.fault(429, headers | {"retry-after-ms": "250"}, b"").retry_after_s == 0.25
    assert openai.fault(500, headers | {"x-ratelimit-remaining-requests": "3"}, b"").retry_after_s == 360


def test_reasoning_under_either_name_is_given_under_the_one_that_clients_read() -> None:
    for name in ("reasoning", "reasoning_content"):
        first = chunk({"role": "assistant", "content": ""})
        thought = [chunk({name: part}) for part in ("h", 'm "reasoning": 1', "\n")]
        both = chunk({"reasoning": "x", "reasoning_content": "x"})
        data = wire.events(first, *thought, both, chunk({"content": "yes"}), chunk(finish="stop"), LAST, "[DONE]")
        for body in (data, data.replace(b'": ', b'":')):
            _, chunks = stream(openai, body)
            deltas = [c["delta"] for one in chunks for c in one["choices"]]
            told = "".join(delta.get("reasoning_content") or "" for delta in deltas)
            assert told.replace(" ", "") == 'hm"reasoning":1\nx'
