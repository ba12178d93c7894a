"""The short way of a whole answer gives what the long way gives."""

import copy
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.backends import openai
from llm_inference_router.backends.base import Rendering
from llm_inference_router.backends.plain import plain
from llm_inference_router.backends.quirks import TABLE

RENDERING = Rendering("mine", "chatcmpl-1", 1, False)
ODD = st.sampled_from((None, "", "x", 0, 7, -1, 1.5, True, [], ["a"], {}, {"a": 1}, {"a": None}, {"a": "b"}))


def valid() -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "Paris.",
        "refusal": None,
        "annotations": [],
        "reasoning": "Why?",
        "reasoning_content": "Why?",
    }
    counts = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    return {
        "id": "chatcmpl-9",
        "object": "chat.completion",
        "created": 5,
        "model": "theirs",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": {**counts, "prompt_tokens_details": {"cached_tokens": 2}},
        "service_tier": "default",
        "system_fingerprint": "fp",
        "extra": {"kept": [1, 2.5]},
    }


def _both_ways(doc: dict[str, Any]) -> None:
    long = copy.deepcopy(doc)
    if plain(copy.deepcopy(doc)) is not None:
        short = openai.OpenAI(TABLE["openai"]).answer(orjson.dumps(doc), RENDERING)
        assert short == openai._whole(long, long["choices"], RENDERING)


def test_a_valid_answer_takes_the_short_way() -> None:
    assert plain(valid()) == (len("Paris.Why?"), "stop", "Paris.")
    _both_ways(valid())


_PLACES = st.sampled_from(
    [(name,) for name in (*valid(), "error")]
    + [("usage", name) for name in (*valid()["usage"], "completion_tokens_details")]
    + [("choices", 0, name) for name in valid()["choices"][0]]
    + [
        ("choices", 0, "message", name)
        for name in (*valid()["choices"][0]["message"], "tool_calls", "function_call", "reasoning_content", "audio")
    ]
)


@given(st.lists(st.tuples(_PLACES, ODD), max_size=3), st.lists(_PLACES, max_size=2))
def test_whatever_takes_the_short_way_would_come_to_the_same(changed: list[Any], missing: list[Any]) -> None:
    doc = valid()
    for place, value in [*changed, *((place, None) for place in missing)]:
        *way, last = place
        node: Any = doc
        for step in way:
            try:
                node = node[step]
            except (KeyError, IndexError, TypeError):
                break
        else:
            if isinstance(node, dict):
                node[last] = copy.deepcopy(value)
                if place in missing:
                    del node[last]
    _both_ways(doc)
