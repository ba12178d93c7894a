"""Vectors as they were asked for: numbers or base64, in the order of the input; nothing that only looks like them."""

import math
from base64 import b64encode
from struct import pack, unpack
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from openai.types import CreateEmbeddingResponse

from llm_inference_router.backends.base import Answer
from llm_inference_router.backends.embeddings import Embeddings, to_base64, to_floats
from llm_inference_router.backends.registry import relay
from llm_inference_router.backends.simulated_vectors import vector
from llm_inference_router.backends.simulated_vectors import whole as simulated
from llm_inference_router.dialects.embeddings import parse
from llm_inference_router.types import Fault, Usage
from tests.backends.wire import MODEL_NAME, model, rendering
from tests.traces.read import Trace, traces

float32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
vectors = st.lists(float32, min_size=1, max_size=50)
ERRORS = traces("/v1/embeddings", ok=False)


def relayed() -> Embeddings:
    found = relay("vllm", "embeddings")
    assert isinstance(found, Embeddings)
    return found


def answer(body: Any, **source: Any) -> Answer | Fault:
    source.setdefault("input", ["a", "b"])
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    return relayed().answer(data, replace(rendering(), source=source, prompt_tokens=33))


def listed(*embeddings: Any, **more: Any) -> dict[str, Any]:
    data = [{"object": "embedding", "index": index, "embedding": one} for index, one in enumerate(embeddings)]
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    return {"object": "list", "model": "upstream-name", "data": data, "usage": usage, **more}


def got(result: Answer | Fault) -> list[Any]:
    assert isinstance(result, Answer), result
    return [one["embedding"] for one in result.body["data"]]


def packed(values: list[float]) -> str:
    return b64encode(pack(f"<{len(values)}f", *values)).decode()


@given(vectors)
def test_numbers_to_base64_and_back_are_the_same(values: list[float]) -> None:
    text = to_base64(values)
    assert text == packed(values)
    back = to_floats(text)
    assert back == values
    assert [math.copysign(1, one) for one in back] == [math.copysign(1, one) for one in values]
    assert to_base64(back) == text


@given(st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=20))
def test_numbers_are_rounded_to_32_bits_once(values: list[float]) -> None:
    assert to_floats(to_base64(values)) == [unpack("<f", pack("<f", one))[0] for one in values]


@given(first=vectors, sent=st.sampled_from(["float", "base64"]), wanted=st.sampled_from([None, "float", "base64"]))
def test_the_client_gets_the_format_it_asked_for_whatever_was_sent(
    first: list[float], sent: str, wanted: str | None
) -> None:
    second = first[::-1]
    body = listed(first, second) if sent == "float" else listed(packed(first), packed(second))
    asked = {} if wanted is None else {"encoding_format": wanted}
    expected: list[Any] = [packed(first), packed(second)] if wanted == "base64" else [first, second]
    assert got(answer(body, **asked)) == expected


def test_an_answer_passes_with_all_its_fields_under_our_name() -> None:
    body = listed([0.1, 0.25], [3, 4], id="embd-1", created=7)
    result = answer(body)
    assert isinstance(result, Answer)
    assert result.body == {**body, "model": MODEL_NAME}
    assert result.body["data"][0]["embedding"] == [0.1, 0.25], "not rounded to 32 bits where nothing was converted"
    assert (result.usage, result.dialect, result.finish_reason) == (Usage(5, 0), "embeddings", None)
    CreateEmbeddingResponse.model_validate(result.body, strict=True)


def test_vectors_come_in_the_order_of_the_input() -> None:
    body = listed([1.0], [2.0])
    body["data"].reverse()
    assert got(answer(body)) == [[1.0], [2.0]]
    for item in body["data"]:
        del item["index"]
    result = answer(body)
    assert got(result) == [[2.0], [1.0]], "without an index the order is the answer's own"


@pytest.mark.parametrize("told", [None, {}, {"prompt_tokens": "5"}, {"prompt_tokens": -1}])
def test_usage_that_is_not_told_is_estimated(told: Any) -> None:
    result = answer(listed([1.0], [2.0], usage=told))
    assert isinstance(result, Answer)
    assert result.usage is None
    assert result.body["usage"] == {"prompt_tokens": 33, "total_tokens": 33}


@pytest.mark.parametrize(
    ("given_input", "count"), [("a", 1), (["a"], 1), ([1, 2, 3], 1), ([[1], [2, 3]], 2), (["a", "b", "c"], 3)]
)
def test_there_is_a_vector_for_each_input(given_input: Any, count: int) -> None:
    for sent in range(1, 5):
        result = answer(listed(*[[1.0]] * sent), input=given_input)
        assert isinstance(result, Answer) is (sent == count)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"data": null}',
        listed(),
        listed([1.0]),
        listed([1.0], [1.0], [1.0]),
        listed([1.0], [1.0, 2.0]),
        listed([], []),
        listed([1.0], ["x"]),
        listed([1.0], None),
        listed([1.0], {"dense": [1.0]}),
        listed("AAAA", "no base64!"),
        listed("AAAA", "AAAA"),  # three bytes
        listed(packed([math.inf]), packed([1.0])),
        {"data": [{"embedding": [1.0], "index": 0}, {"embedding": [1.0], "index": 0}]},
        {"data": [{"embedding": [1.0], "index": 1}, {"embedding": [1.0], "index": 2}]},
        b'{"data": [{"embedding": [NaN]}, {"embedding": [1]}]}',
    ],
)
def test_what_is_no_answer_is_malformed(body: Any) -> None:
    result = answer(body)
    assert isinstance(result, Fault)
    assert result.kind == "malformed"
    assert result.message


def test_numbers_beyond_32_bits_cannot_be_given_as_base64() -> None:
    body = listed([1e39], [1.0])
    assert isinstance(answer(body), Answer)
    assert isinstance(answer(body, encoding_format="base64"), Fault)


def test_vectors_of_another_length_than_asked_for_are_refused() -> None:
    body = listed([1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    assert isinstance(answer(body, dimensions=3), Answer)
    result = answer(body, dimensions=2)
    assert isinstance(result, Fault)
    assert result.message == "vectors of 3 numbers where 2 were asked for"


@pytest.mark.proves("embeddings", ["vllm", "llamacpp", "transformers"], "errors", evidence="recorded")
@pytest.mark.parametrize("exchange", ERRORS, ids=[one.id for one in ERRORS])
def test_recorded_refusals_are_read(exchange: Trace) -> None:
    fault = relayed().fault(exchange.status, exchange.headers, exchange.body)
    assert (fault.kind, fault.status) == ("status", exchange.status)
    assert fault.message


def test_every_server_has_refused_in_the_traces() -> None:
    assert {one.server for one in ERRORS} == {"vllm", "llama-cpp-python", "transformers-serve", "aimock"}


def test_an_error_inside_a_good_status_is_a_fault() -> None:
    result = answer({"error": {"message": "too long", "type": "invalid_request_error"}})
    assert isinstance(result, Fault)
    assert result.kind == "status"


def test_a_request_passes_as_it_came_but_for_the_models_name() -> None:
    source = {"model": "auto", "input": [[1, 2]], "dimensions": 4, "encoding_format": "base64", "truncate": True}
    encoded = relayed().encode(parse(orjson.dumps(source)), model())
    assert (encoded.call.path, encoded.warnings) == ("/embeddings", ())
    assert orjson.loads(encoded.call.body) == source | {"model": "upstream-name"}


@pytest.mark.parametrize("name", ["anthropic", "tgi"])
def test_servers_without_embeddings_have_no_relay(name: str) -> None:
    assert relay(name, "embeddings") is None


# --- simulated --------------------------------------------------------------------------------------------------------


@given(st.text(max_size=80), st.integers(1, 80))
def test_a_simulated_vector_has_length_one_and_is_the_same_each_time(text: str, dimensions: int) -> None:
    made = vector(text, "m", dimensions)
    assert len(made) == dimensions
    assert math.isclose(sum(one * one for one in made), 1.0, rel_tol=1e-9)
    assert made == vector(text, "m", dimensions)


def test_simulated_texts_that_share_words_lie_closer() -> None:
    def cosine(one: str, other: str) -> float:
        return sum(a * b for a, b in zip(vector(one, "m"), vector(other, "m"), strict=True))

    near = cosine("the cat sat on the mat", "a cat on a mat")
    assert near > cosine("the cat sat on the mat", "quarterly revenue grew strongly")


def test_a_simulated_answer_is_one_for_the_relay() -> None:
    result = answer(simulated({"input": ["a", "b"], "dimensions": 8}, "m"), dimensions=8, encoding_format="base64")
    assert isinstance(result, Answer)
    assert result.usage == Usage(2, 0)
