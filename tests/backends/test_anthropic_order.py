"""What a Claude answers keeps its order for clients of Responses, whole and streamed, and on its way back."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.backends.base import Answer, Rendering
from llm_inference_router.dialects.assemble import Assembly
from llm_inference_router.dialects.base import Head
from llm_inference_router.dialects.responses import Responses
from tests.backends import wire
from tests.backends.claude import EARLY, WEB, anthropic, finished, judge, said, started, stopped
from tests.support.responses import body, checked, sent

HEAD = Head("0123456789abcdef" * 2, 1_700_000_000, wire.MODEL_NAME)
RENDERING = Rendering(wire.MODEL_NAME, "chatcmpl-ours", 1, include_usage=True, provider="127.0.0.1")
RESPONSES = Responses()
ASKED = {"model": "auto", "input": "hi"}
Block = dict[str, Any]


def thinking(text: str, signature: str = "sealed") -> Block:
    return {"type": "thinking", "thinking": text, "signature": signature}


def text(said: str, *citations: Block) -> Block:
    return {"type": "text", "text": said, **({"citations": list(citations)} if citations else {})}


def use(number: int) -> Block:
    return {"type": "tool_use", "id": f"toolu_{number}", "name": "f", "input": {"a": number}}


REDACTED = {"type": "redacted_thinking", "data": "hidden"}


def whole(blocks: list[Block], reason: str = "end_turn") -> list[dict[str, Any]]:
    doc = {"id": "msg_1", "content": blocks, "stop_reason": reason, "usage": {"input_tokens": 1, "output_tokens": 1}}
    answer = anthropic.answer(json.dumps(doc).encode(), RENDERING)
    assert isinstance(answer, Answer)
    made = RESPONSES.whole(answer.body, RESPONSES.parse(orjson.dumps(ASKED)), HEAD, answer.said)
    output: list[dict[str, Any]] = body(orjson.dumps(made))["output"]
    return output


def streamed(blocks: list[Block], reason: str = "end_turn") -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = [{"type": "message_start", "message": {"id": "msg_1"}}]
    for index, block in enumerate(blocks):
        events.append(started(index, **{**block, "text": "", "thinking": "", "signature": "", "input": {}}))
        if block["type"] == "text":
            events.append(said(index, type="text_delta", text=block["text"]))
            events += [said(index, type="citations_delta", citation=one) for one in block.get("citations", ())]
        elif block["type"] == "thinking":
            events.append(said(index, type="thinking_delta", thinking=block["thinking"]))
            events.append(said(index, type="signature_delta", signature=block["signature"]))
        elif block["type"] == "tool_use":
            events.append(said(index, type="input_json_delta", partial_json=json.dumps(block["input"])))
        events.append(stopped(index))
    decoder = anthropic.decoder(RENDERING)
    data = wire.events(*events, finished(reason), {"type": "message_stop"})
    assembly = Assembly(RESPONSES.writer(RESPONSES.parse(orjson.dumps({**ASKED, "stream": True})), HEAD))
    frames = [frame for piece in (*decoder.feed(data), *decoder.close()) for frame in assembly.push(piece)]
    output: list[dict[str, Any]] = checked(sent(b"".join([*frames, *assembly.end()])))["output"]
    return output


def spelt(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The items, the arguments of their calls as values: a stream keeps the upstream's spaces."""
    return [{**one, "arguments": orjson.loads(one["arguments"])} if "arguments" in one else one for one in items]


BLOCKS = st.lists(
    st.one_of(
        st.builds(thinking, st.text(max_size=3), st.sampled_from(["", "sealed"])),
        st.just(REDACTED),
        st.builds(text, st.text(max_size=3)),
        st.builds(lambda said: text(said, WEB), st.text(min_size=1, max_size=3)),
        st.integers(0, 9).map(use),
    ),
    max_size=6,
)


@pytest.mark.proves("responses", "anthropic", "reasoning", evidence="specification")
def test_reasoning_between_other_things_stays_there() -> None:
    blocks = [thinking("one"), text("Let me see."), thinking("two"), use(1)]
    for items in (whole(blocks, "tool_use"), streamed(blocks, "tool_use")):
        assert [one["type"] for one in items] == ["reasoning", "message", "reasoning", "function_call"]
        assert [one["content"][0]["text"] for one in items[:3]] == ["one", "Let me see.", "two"]


@given(BLOCKS, st.sampled_from(["end_turn", "max_tokens", "refusal"]))
def test_a_whole_answer_says_the_items_of_its_stream_in_their_order(blocks: list[Block], reason: str) -> None:
    assert spelt(whole(blocks, reason)) == spelt(streamed(blocks, reason))


@pytest.mark.parametrize("told", [whole, streamed])
@pytest.mark.parametrize(
    "blocks",
    [
        [thinking("one"), text("Let me see."), thinking("two"), use(1)],
        [thinking("one"), thinking("two"), use(1), use(2)],
        [REDACTED, text("a"), REDACTED, thinking("b"), text("c"), thinking("d"), use(1)],
        [text("a"), thinking("b"), use(1)],
    ],
)
def test_what_is_sent_back_is_what_was_said(told: Any, blocks: list[Block]) -> None:
    results = [
        {"type": "function_call_output", "call_id": one["id"], "output": "x"} for one in blocks if "input" in one
    ]
    hi = {"role": "user", "content": "hi"}
    asked = {"model": "auto", "input": [hi, *told(blocks, "tool_use"), *results]}
    request = RESPONSES.parse(orjson.dumps(asked))
    encoded = anthropic.encode(request, wire.model("anthropic", upstream_model=EARLY))
    sent_back = orjson.loads(encoded.call.body)
    judge(sent_back)
    assert sent_back["messages"][1]["content"] == blocks
