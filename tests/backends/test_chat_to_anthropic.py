"""What a chat client says to a Claude model: what survives, what is said otherwise, and what is told to be lost."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_inference_router.backends.base import Answer
from llm_inference_router.dialects.chat import parse
from tests.backends import wire
from tests.backends.claude import (
    EARLY,
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
        ({"safety_identifier": "s", "user": "u"}, "s", ()),
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
        {"role": "user", "content": "hi"},
        {"role": "system", "content": "b"},
    ]
    body, warnings = encoded(EARLY, messages=turns)
    assert body["system"] == "a\n\nb"
    assert warnings == ()


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
