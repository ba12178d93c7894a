"""OpenAI's own traps, each by name. From specification: its published API reference and client."""

from base64 import b64encode
from collections.abc import Iterator
from struct import pack
from typing import Any

import orjson
import pytest
from openai import OpenAI

from llm_inference_router.backends.base import Answer
from llm_inference_router.backends.limits import duration
from llm_inference_router.backends.registry import backend
from tests.backends import wire
from tests.serving.router import events
from tests.serving.upstream import STREAM_HEAD, chunked, sends
from tests.serving.upstream import whole as page
from tests.support.responses import sent
from tests.traps.setting import Setting, encoded, setting, stream

openai = backend("openai")


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    able = {"sounds": "logprobs, audio", "vectors": "embeddings"}
    with setting(tmp_path_factory.mktemp("openai"), "openai", able=able) as made:
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
        "metadata",
        "schema",
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


PAIR = [{"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": []}]
SPOKEN = {"id": "audio_1", "data": "UklGRg==", "expires_at": 1_800_000_000, "transcript": "Hi"}
CUSTOM = {"id": "call_1", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}
SAID = {"role": "assistant", "refusal": None}


@pytest.mark.proves(
    "chat", "openai", ["n", "logprobs", "audio", "custom_tools"], stream=False, evidence="specification"
)
def test_several_answers_probabilities_sounds_and_custom_calls_arrive_whole() -> None:
    choices: list[dict[str, Any]] = [
        {"message": {**SAID, "content": "Hi"}, "logprobs": {"content": PAIR, "refusal": None}},
        {"message": {**SAID, "content": None, "audio": SPOKEN}, "logprobs": None},
        {"message": {**SAID, "content": None, "tool_calls": [CUSTOM]}, "logprobs": None},
    ]
    ends = ("stop", "stop", "tool_calls")
    listed = [{"index": i, "finish_reason": end, **one} for i, (one, end) in enumerate(zip(choices, ends, strict=True))]
    doc = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": listed, "usage": USAGE}
    answer = openai.answer(orjson.dumps(doc), wire.rendering())
    assert isinstance(answer, Answer)
    got = wire.completion(answer.body)
    assert [one.finish_reason for one in got.choices] == list(ends)
    first, second, third = answer.body["choices"]
    assert (first["message"]["content"], first["logprobs"]["content"]) == ("Hi", PAIR)
    assert second["message"]["audio"] == SPOKEN
    assert third["message"]["tool_calls"] == [CUSTOM]


@pytest.mark.proves("chat", "openai", ["n", "logprobs", "audio"], stream=True, evidence="specification")
def test_several_answers_probabilities_and_sounds_arrive_in_a_stream(at: Setting) -> None:
    def of(index: int, one: dict[str, Any], **more: Any) -> dict[str, Any]:
        made = chunk(one, more.pop("finish", None))
        made["choices"][0] |= {"index": index, **more}
        return made

    tokens = {"content": PAIR, "refusal": None}
    sound = {name: SPOKEN[name] for name in ("id", "transcript", "data")}
    data = wire.events(
        of(0, {"role": "assistant", "content": "Hi"}, logprobs=tokens),
        of(1, {"role": "assistant", "audio": sound}),
        of(0, {}, finish="stop"),
        of(1, {"audio": {"expires_at": SPOKEN["expires_at"]}}),
        of(1, {}, finish="length"),
        LAST,
        "[DONE]",
    )
    at.backend.behaviours["sounds"] = sends(STREAM_HEAD + chunked(data) + b"0\r\n\r\n")
    fields = {"n": 2, "logprobs": True, "modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}
    reply = at.ask("sounds", stream=True, **fields)
    wire.sent_chunks(reply.body)
    found = [c for one in events(reply) if isinstance(one, dict) for c in one["choices"]]
    assert [(c["index"], c["finish_reason"]) for c in found if c["finish_reason"]] == [(0, "stop"), (1, "length")]
    assert [c["logprobs"] for c in found if c.get("logprobs")] == [tokens]
    heard = [c["delta"]["audio"] for c in found if c["delta"].get("audio")]
    assert {name: value for one in heard for name, value in one.items()} == SPOKEN


@pytest.mark.proves("responses", "openai", ["text", "finish_reasons", "errors"], stream=True, evidence="specification")
@pytest.mark.parametrize("ending", ["completed", "incomplete", "failed"])
def test_response_events_are_numbered_and_have_three_endings(at: Setting, ending: str) -> None:
    answer: dict[str, Any] = {"id": "resp_1", "object": "response", "created_at": 1, "model": "theirs", "output": []}
    endings: dict[str, dict[str, Any]] = {
        "completed": {"usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}},
        "incomplete": {"incomplete_details": {"reason": "max_output_tokens"}},
        "failed": {"error": {"code": "server_error", "message": "no"}},
    }
    part = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "logprobs": []}
    told: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**answer, "status": "in_progress"}},
        {"type": "response.output_text.delta", **part, "delta": "Hi"},
        {"type": f"response.{ending}", "response": {**answer, "status": ending, **endings[ending]}},
    ]
    data = b"".join(
        f"event: {one['type']}\ndata: ".encode() + orjson.dumps({**one, "sequence_number": number}) + b"\n\n"
        for number, one in enumerate(told)
    )
    at.behaves(sends(STREAM_HEAD + chunked(data) + b"0\r\n\r\n"))
    reply = at.router.ask("/v1/responses", {"model": "first", "input": "hi", "stream": True})
    got = sent(reply.body)
    assert [one["sequence_number"] for one in got] == list(range(len(got)))
    assert got[-1]["type"] == f"response.{ending}"
    assert [one["delta"] for one in got if one["type"] == "response.output_text.delta"] == ["Hi"]
    assert b"[DONE]" not in reply.body


@pytest.mark.proves("embeddings", "openai", "encodings", evidence="specification", client="openai (Python)")
def test_the_sdk_asks_for_base64_unless_told_otherwise(at: Setting) -> None:
    packed = b64encode(pack("<2f", 0.5, -0.25)).decode()
    row = {"object": "embedding", "index": 0, "embedding": packed}
    doc = {"object": "list", "data": [row], "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1}}
    at.backend.behaviours["vectors"] = sends(page(doc))
    at.backend.requests.clear()
    with OpenAI(base_url=f"{at.router.url}/v1", api_key="unused", max_retries=0) as client:
        given = client.embeddings.create(model="vectors", input="hi")
        plain = client.embeddings.create(model="vectors", input="hi", encoding_format="float")
    assert next(one.body["encoding_format"] for one in at.backend.asked("vectors")) == "base64"
    assert given.data[0].embedding == plain.data[0].embedding == [0.5, -0.25]
