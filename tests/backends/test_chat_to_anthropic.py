"""What a chat client says to a Claude model: what survives, what is said otherwise, and what is told to be lost."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_inference_router.backends.base import Answer
from llm_inference_router.backends.instructions import NOTE
from llm_inference_router.dialects.chat import parse
from tests.backends import wire
from tests.backends.claude import (
    EARLY,
    LATE,
    MIDDLE,
    NEW,
    TOOL,
    answered,
    anthropic,
    encoded,
    finished,
    said,
    started,
    stopped,
    streamed,
)


@pytest.mark.proves("chat", "anthropic", "files", evidence="specification")
def test_files_in_the_request_are_documents() -> None:
    parts = [
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,QUJD", "filename": "a.pdf"}},
        {"type": "file", "file": {"file_data": "data:text/plain;base64,QUJD"}},
        {"type": "text", "text": "what?"},
    ]
    body, warnings = encoded(EARLY, messages=[{"role": "user", "content": parts}])
    pdf, text, _ = body["messages"][0]["content"]
    assert (pdf["title"], pdf["source"]["media_type"], pdf["source"]["data"]) == ("a.pdf", "application/pdf", "QUJD")
    assert text["source"] == {"type": "text", "media_type": "text/plain", "data": "ABC"}
    assert warnings == ()
    kept = {"type": "file", "file": {"file_id": "file-1"}}
    _, warnings = encoded(EARLY, messages=[{"role": "user", "content": [kept, parts[2]]}])
    assert warnings == ("warning;dropped;file",)


@pytest.mark.proves("chat", "anthropic", "images", evidence="specification")
def test_an_image_loses_only_its_detail() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}}
    body, warnings = encoded(EARLY, messages=[{"role": "user", "content": [image]}])
    assert body["messages"][0]["content"][0]["source"] == {"type": "url", "url": "https://example.com/a.png"}
    assert warnings == ("info;dropped;image_url.detail",)


@pytest.mark.proves("chat", "anthropic", "metadata", evidence="specification")
@pytest.mark.parametrize(
    ("fields", "user", "lost"),
    [
        ({"user": "u"}, "u", ()),
        ({"safety_identifier": "s", "user": "u"}, "s", ("warning;dropped;user",)),
        ({"metadata": {"user_id": "m"}}, "m", ()),
        ({"metadata": {"user_id": "m", "team": "t"}}, "m", ("warning;dropped;metadata",)),
        ({"prompt_cache_key": "k"}, None, ("info;dropped;prompt_cache_key",)),
    ],
)
def test_the_user_is_named(fields: dict[str, Any], user: str | None, lost: tuple[str, ...]) -> None:
    body, warnings = encoded(EARLY, **fields)
    assert body.get("metadata", {}).get("user_id") == user
    assert warnings == lost


@pytest.mark.proves("chat", "anthropic", "service_tier", evidence="specification")
@pytest.mark.parametrize(
    ("tier", "sent", "lost"),
    [
        ("auto", None, ()),
        ("default", "standard_only", ()),
        ("priority", "auto", ()),
        ("flex", None, ("warning;dropped;service_tier",)),
    ],
)
def test_the_service_tier_is_said_in_their_words(tier: str, sent: str | None, lost: tuple[str, ...]) -> None:
    body, warnings = encoded(EARLY, service_tier=tier)
    assert body.get("service_tier") == sent
    assert warnings == lost
    usage = {"input_tokens": 1, "output_tokens": 1, "service_tier": "standard"}
    assert answered({"content": [], "stop_reason": "end_turn", "usage": usage})["service_tier"] == "default"


_LOST: dict[str, Any] = {
    "seed": 1,
    "logprobs": True,
    "prediction": {"type": "content", "content": "x"},
    "web_search_options": {},
    "n": 2,
    "audio": {"voice": "alloy", "format": "wav"},
}


@pytest.mark.proves(
    "chat",
    "anthropic",
    ["seed", "logprobs", "prediction", "web_search", "n", "audio"],
    evidence="specification",
    lost="dropped",
)
@pytest.mark.parametrize("name", _LOST)
def test_what_anthropic_has_no_word_for_is_left_out_and_named(name: str) -> None:
    body, warnings = encoded(EARLY, **{name: _LOST[name]})
    assert name not in body
    assert warnings == (f"warning;dropped;{name}",)


@pytest.mark.proves("chat", "anthropic", "system", evidence="specification")
def test_developer_and_system_messages_are_the_system_prompt() -> None:
    turns = [
        {"role": "developer", "content": "a"},
        {"role": "system", "content": "b"},
        {"role": "user", "content": "hi"},
    ]
    body, warnings = encoded(EARLY, messages=turns)
    assert body["system"] == "a\n\nb"
    assert warnings == ()


LATER = {"role": "developer", "content": "b"}
SAID = {"role": "user", "content": "hi"}
SO = {"role": "assistant", "content": "So."}
ONE: dict[str, Any] = {"id": "c", "function": {"name": "f", "arguments": "{}"}}
CALLED = {"role": "assistant", "tool_calls": [ONE]}
DONE = {"role": "tool", "tool_call_id": "c", "content": "x"}
NOTED = {"type": "text", "text": NOTE + "b"}
HI_TEXT = {"type": "text", "text": "hi"}


@pytest.mark.proves("chat", "anthropic", "system", evidence="specification")
@pytest.mark.parametrize("name", [EARLY, MIDDLE, LATE, "another"])
def test_a_later_one_is_a_note_in_its_place_so_that_a_cached_prompt_is_known_again(name: str) -> None:
    body, warnings = sent(name, SAID, LATER, SO, SAID)
    assert "system" not in body
    assert body["messages"] == [{"role": "user", "content": [HI_TEXT, NOTED]}, SO, SAID]
    assert warnings == ["info;rewritten;messages"]
    assert sent(name, SAID, SO, LATER, SAID)[0]["messages"][2]["content"] == [HI_TEXT, NOTED]
    assert sent(name, SAID, SO, LATER)[0]["messages"][2]["content"] == NOTE + "b"
    assert sent(name, SAID, LATER, SAID)[0]["messages"][0]["content"] == [HI_TEXT, NOTED, HI_TEXT]
    blocks = sent(name, SAID, CALLED, LATER, DONE, LATER, SAID)[0]["messages"][2]["content"]
    assert [block["type"] for block in blocks] == ["tool_result", "text", "text", "text"]
    assert blocks[1:] == [NOTED, NOTED, HI_TEXT]


@pytest.mark.proves("chat", "anthropic", "system", evidence="specification")
def test_a_model_that_hears_the_system_between_turns_is_given_it_there() -> None:
    system = {"role": "system", "content": "b"}
    body, warnings = sent(NEW, SAID, LATER, SO, SAID)
    assert (body["messages"], warnings) == ([SAID, system, SO, SAID], [])
    assert "system" not in body
    # It takes one after a turn of the user, before one of the assistant or at the end, and no two in a row.
    body, _ = sent(NEW, SAID, CALLED, LATER, DONE, LATER, SAID, SO, LATER, SAID)
    roles = [turn["role"] for turn in body["messages"]]
    assert roles == ["user", "assistant", "user", "system", "assistant", "user", "system"]
    assert [block["type"] for block in body["messages"][2]["content"]] == ["tool_result", "text"]
    assert body["messages"][3]["content"] == [{"type": "text", "text": "b"}] * 2
    body, warnings = sent(NEW, SAID, SO, LATER)
    assert body["messages"][2] == {"role": "user", "content": NOTE + "b"}
    assert warnings == ["info;rewritten;messages"]


def sent(name: str, *messages: dict[str, Any], **fields: Any) -> tuple[dict[str, Any], list[str]]:
    """Not judged: the system may speak between the turns."""
    request = parse(orjson.dumps({"model": "auto", "messages": list(messages), **fields}))
    made = anthropic.encode(request, wire.model("anthropic", upstream_model=name))
    return orjson.loads(made.call.body), list(made.warnings)


PICTURE: dict[str, Any] = {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}


@pytest.mark.parametrize(
    ("fields", "warned"),
    [
        ({"messages": [{"role": "system", "content": [HI_TEXT, PICTURE]}, SAID]}, "warning;dropped;image_url"),
        ({"messages": [SAID, {"role": "assistant", "content": [HI_TEXT, PICTURE]}, SAID]}, "warning;dropped;image_url"),
        ({"messages": [{"role": "user", "content": [{**HI_TEXT, "foo": 1}]}]}, "warning;dropped;text.foo"),
        ({"messages": [{"role": "user", "content": [{**HI_TEXT, "foo": None}]}]}, None),
        ({"messages": [{"role": "user", "content": [{**PICTURE, "foo": 1}]}]}, "warning;dropped;image_url.foo"),
        (
            {"messages": [{"role": "user", "content": [{**PICTURE, "image_url": {**PICTURE["image_url"], "x": 1}}]}]},
            "warning;dropped;image_url.x",
        ),
        (
            {"messages": [{"role": "user", "content": [HI_TEXT, {"type": "video_url", "video_url": {"url": "u"}}]}]},
            "warning;dropped;video_url",
        ),
        (
            {"messages": [{"role": "user", "content": [HI_TEXT, {"type": "audio_url", "audio_url": {"url": "u"}}]}]},
            "warning;dropped;audio_url",
        ),
        (
            {"messages": [SAID, {**SO, "content": [{"type": "thinking", "thinking": "t"}, HI_TEXT]}, SAID]},
            "info;dropped;thinking",
        ),
        (
            {"messages": [SAID, {**SO, "content": [{"type": "thinking", "thinking": "t", "signature": "s"}, HI_TEXT]}]},
            "warning;dropped;thinking",
        ),
        (
            {"messages": [SAID, {**CALLED, "tool_calls": [{**ONE, "extra_content": {"a": 1}}]}, DONE]},
            "warning;dropped;tool_calls.extra_content",
        ),
        ({"tools": [{**TOOL, "input_examples": [{}]}]}, "warning;dropped;tools.input_examples"),
        ({"tools": [{**TOOL, "defer_loading": True}]}, "info;dropped;tools.defer_loading"),
        ({"tools": [{**TOOL, "defer_loading": False}]}, None),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "input_examples": [{}]}}]},
            "warning;dropped;tools.function.input_examples",
        ),
        ({"functions": [{"name": "f", "foo": 1}]}, "warning;dropped;functions.foo"),
        ({"safety_identifier": "a", "user": "b"}, "warning;dropped;user"),
        ({"safety_identifier": "a", "user": "a"}, None),
        ({"user": "a", "metadata": {"user_id": "b"}}, "warning;dropped;metadata.user_id"),
        ({"user": "u" * 256}, None),
        ({"user": "u" * 257}, "warning;clamped;user"),
        ({"user": 5}, "warning;dropped;user"),
    ],
)
def test_what_has_no_counterpart_within_a_field_is_named(fields: dict[str, Any], warned: str | None) -> None:
    _, warnings = sent(MIDDLE, *fields.pop("messages", [SAID]), **fields)
    assert [one for one in warnings if "messages[" not in one] == ([warned] if warned else [])


# --- there and back ---------------------------------------------------------------------------------------------------


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.text(max_size=6)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=6), _JSON, max_size=4))
def test_arguments_come_back_byte_for_byte(arguments: dict[str, Any]) -> None:
    text = json.dumps(arguments)
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": text}}
    raw = {"model": "auto", "messages": [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [call]}]}
    sent = anthropic.encode(parse(orjson.dumps(raw)), wire.model("anthropic", upstream_model=EARLY)).call.body
    assert b'"input":' + text.encode() + b"}" in sent
    block = json.dumps({"type": "tool_use", "id": "a", "name": "f", "input": 0}).replace("0}", text + "}")
    body = f'{{"content": [{{"type": "text", "text": ""}}, {block}], "stop_reason": "tool_use"}}'
    answer = anthropic.answer(body.encode(), wire.rendering())
    assert isinstance(answer, Answer)
    assert answer.body["choices"][0]["message"]["tool_calls"] == [call]
    half = len(text) // 2
    chunks = streamed(
        started(0, type="tool_use", id="a", name="f", input={}),
        said(0, type="input_json_delta", partial_json=text[:half]),
        said(0, type="input_json_delta", partial_json=text[half:]),
        stopped(0),
        finished("tool_use"),
    )
    calls = [call for one in chunks for c in one["choices"] for call in c["delta"].get("tool_calls", ())]
    assert "".join(call["function"]["arguments"] for call in calls) == text


@settings(deadline=None)
@given(st.text(min_size=1, max_size=20).filter(str.strip))
def test_text_goes_there_and_back_unchanged(text: str) -> None:
    turns = [
        {"role": "user", "content": text},
        {"role": "assistant", "content": text},
        {"role": "user", "content": [{"type": "text", "text": text}]},
    ]
    sent = encoded(EARLY, messages=turns)[0]["messages"]
    assert [turn["content"] for turn in sent] == [text] * 3
    block = {"type": "text", "text": sent[1]["content"]}
    assert answered({"content": [block], "stop_reason": "end_turn"})["choices"][0]["message"]["content"] == text
    half = len(text) // 2
    parts = [said(0, type="text_delta", text=part) for part in (text[:half], text[half:]) if part]
    chunks = streamed(started(0, type="text", text=""), *parts, stopped(0), finished("end_turn"))
    assert "".join(c["delta"].get("content") or "" for one in chunks for c in one["choices"]) == text


@settings(deadline=None)
@given(st.sampled_from(["png", "jpeg", "gif", "webp"]), st.from_regex(r"[A-Za-z0-9+/]{4,40}", fullmatch=True))
def test_images_are_sent_byte_for_byte(kind: str, data: str) -> None:
    url = f"data:image/{kind};base64,{data}"
    image = {"type": "image_url", "image_url": {"url": url}}
    block = encoded(EARLY, messages=[{"role": "user", "content": [image]}])[0]["messages"][0]["content"][0]
    assert f"data:{block['source']['media_type']};base64,{block['source']['data']}" == url
