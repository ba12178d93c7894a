"""Requests for completions and embeddings: what is one, and what is refused with the place of the mistake."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.dialects import completions, embeddings
from llm_inference_router.errors import InvalidRequest
from llm_inference_router.types import ChatRequest
from llm_inference_router.vocabulary import Capability

Parse = Callable[[bytes], ChatRequest]


def asked(**fields: Any) -> ChatRequest:
    return completions.parse(orjson.dumps({"model": "m", "prompt": "Once", **fields}))


def test_a_prompt_is_a_message_for_chat_and_stays_what_it_is_for_a_relay() -> None:
    found = asked(temperature=0.5, stop=["x"], seed=7, stream=True, stream_options={"include_usage": True}, top_k=3)
    assert found.body == {
        "model": "m",
        "messages": [{"role": "user", "content": "Once"}],
        "max_completion_tokens": 16,
        "temperature": 0.5,
        "stop": ["x"],
        "seed": 7,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert found.source["prompt"] == "Once"
    assert (found.dialect, found.stream, found.include_usage, found.max_tokens) == ("completions", True, True, 16)
    assert found.warnings == ("info;rewritten;prompt", "warning;dropped;top_k")
    assert found.own == frozenset()


def test_what_asks_for_nothing_is_no_loss() -> None:
    found = asked(echo=False, suffix="", best_of=1, logprobs=None, n=1, max_tokens=None)
    assert (found.own, found.needs, found.choices) == (frozenset(), frozenset(), 1)
    assert found.warnings == ("info;rewritten;prompt",)


@pytest.mark.parametrize(
    ("fields", "own", "choices", "tokens"),
    [
        ({"prompt": ["a"]}, set(), 1, 0),
        ({"prompt": ["a", "b"], "n": 3}, {completions.SEVERAL}, 6, 0),
        ({"prompt": [1, 2, 3]}, {completions.TOKENS}, 1, 3),
        ({"prompt": [[1, 2, 3], [4]]}, {completions.TOKENS, completions.SEVERAL}, 2, 4),
        ({"echo": True}, {"echo"}, 1, 0),
        ({"suffix": "."}, {"suffix"}, 1, 0),
        ({"logprobs": 0}, {"logprobs"}, 1, 0),
        ({"max_tokens": 0}, {completions.NOTHING}, 1, 0),
    ],
)
def test_what_chat_has_no_words_for_is_noted(fields: dict[str, Any], own: set[str], choices: int, tokens: int) -> None:
    found = asked(**fields)
    assert (set(found.own), found.choices, found.tokens) == (own, choices, tokens)
    assert ("logprobs" in found.needs) is ("logprobs" in fields)


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"model": None}, "model", "missing_required_parameter"),
        ({"prompt": None}, "prompt", "missing_required_parameter"),
        ({"prompt": 5}, "prompt", "invalid_type"),
        ({"prompt": {}}, "prompt", "invalid_type"),
        ({"prompt": []}, "prompt", "empty_array"),
        ({"prompt": [None]}, "prompt[0]", "invalid_type"),
        ({"prompt": ["a", 1]}, "prompt[1]", "invalid_type"),
        ({"prompt": [1, "a"]}, "prompt[1]", "invalid_type"),
        ({"prompt": [1, -1]}, "prompt[1]", "invalid_type"),
        ({"prompt": [1, True]}, "prompt[1]", "invalid_type"),
        ({"prompt": [[1], "a"]}, "prompt[1]", "invalid_type"),
        ({"prompt": [[1], []]}, "prompt[1]", "empty_array"),
        ({"prompt": [[1], [2.5]]}, "prompt[1][0]", "invalid_type"),
        ({"prompt": ["a"] * 2049}, "prompt", "array_above_max_length"),
        ({"max_tokens": -1}, "max_tokens", "integer_below_min_value"),
        ({"max_tokens": False}, "max_tokens", "invalid_type"),
        ({"max_tokens": "16"}, "max_tokens", "invalid_type"),
        ({"n": 0}, "n", "integer_below_min_value"),
        ({"n": 129}, "n", "integer_above_max_value"),
        ({"best_of": 0}, "best_of", "integer_below_min_value"),
        ({"echo": 1}, "echo", "invalid_type"),
        ({"suffix": 1}, "suffix", "invalid_type"),
        ({"logprobs": True}, "logprobs", "invalid_type"),
        ({"logprobs": -1}, "logprobs", "invalid_type"),
        ({"stream": "yes"}, "stream", "invalid_type"),
        ({"stream_options": []}, "stream_options", "invalid_type"),
        ({"temperature": "hot"}, "temperature", "invalid_type"),
        ({"stop": [1]}, "stop", "invalid_type"),
        ({"api_base": "http://elsewhere"}, "api_base", "unsupported_parameter"),
    ],
)
def test_a_wrong_field_of_a_completion_is_named(fields: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        asked(**fields)
    assert (caught.value.param, caught.value.code) == (param, code)
    assert param in caught.value.message


@pytest.mark.parametrize(
    ("given_input", "choices", "tokens", "text"),
    [
        ("a", 1, 0, "a"),
        (["a", "b"], 2, 0, "a\nb"),
        ([1, 2, 3], 1, 3, ""),
        ([[1, 2, 3], [4]], 2, 4, ""),
    ],
)
def test_inputs_are_counted(given_input: Any, choices: int, tokens: int, text: str) -> None:
    found = embeddings.parse(orjson.dumps({"model": "m", "input": given_input, "user": "u", "dimensions": 8}))
    assert (found.choices, found.tokens, found.messages[0].text) == (choices, tokens, text)
    assert found.needs == frozenset[Capability]({"embeddings"})
    assert (found.dialect, found.stream) == ("embeddings", False)
    assert found.body["user"] == "u"


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"input": None}, "input", "missing_required_parameter"),
        ({"input": ""}, "input", "empty_string"),
        ({"input": ["a", ""]}, "input[1]", "empty_string"),
        ({"input": []}, "input", "empty_array"),
        ({"input": [1, "a"]}, "input[1]", "invalid_type"),
        ({"input": ["a"] * 2049}, "input", "array_above_max_length"),
        ({"encoding_format": "int8"}, "encoding_format", "invalid_value"),
        ({"encoding_format": 1}, "encoding_format", "invalid_type"),
        ({"dimensions": 0}, "dimensions", "integer_below_min_value"),
        ({"dimensions": 1.5}, "dimensions", "invalid_type"),
    ],
)
def test_a_wrong_field_of_a_request_for_embeddings_is_named(fields: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        embeddings.parse(orjson.dumps({"model": "m", "input": "a", **fields}))
    assert (caught.value.param, caught.value.code) == (param, code)


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
_names = ["model", "prompt", "input", "max_tokens", "n", "best_of", "echo", "suffix", "logprobs", "stream"]
_names += ["stream_options", "stop", "temperature", "dimensions", "encoding_format", "user", "other"]


@pytest.mark.parametrize("parse", [completions.parse, embeddings.parse])
@given(fields=st.dictionaries(st.sampled_from(_names), _json, max_size=8))
def test_no_json_raises_anything_but_a_refusal(parse: Parse, fields: dict[str, Any]) -> None:
    try:
        found = parse(orjson.dumps({"model": "m", "prompt": "x", "input": "x", **fields}))
    except InvalidRequest:
        return
    assert orjson.dumps(found.body)
    assert found.choices >= 1


@pytest.mark.parametrize("parse", [completions.parse, embeddings.parse])
@given(data=st.binary(max_size=40))
def test_no_bytes_raise_anything_but_a_refusal(parse: Parse, data: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse(data)
