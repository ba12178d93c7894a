import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.backends import faults
from llm_inference_router.backends.openai import OpenAI
from llm_inference_router.backends.quirks import TABLE
from llm_inference_router.types import Fault

openai = OpenAI(TABLE["tgi"])


def read(status: int, body: Any, **headers: str) -> Fault:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return openai.fault(status, {name.replace("_", "-"): value for name, value in headers.items()}, data)


@pytest.mark.parametrize(
    ("status", "kind", "final"),
    [
        (400, "status", True),
        (401, "auth", False),
        (402, "auth", False),
        (403, "auth", False),
        (404, "status", False),
        (408, "status", False),
        (409, "status", False),
        (413, "status", True),
        (422, "status", True),
        (424, "status", False),
        (429, "rate_limited", False),
        (500, "status", False),
        (502, "status", False),
        (503, "status", False),
        (529, "status", False),
    ],
)
def test_the_status_decides(status: int, kind: str, final: bool) -> None:
    fault = read(status, {"error": {"message": "no", "type": "t", "param": "p", "code": "c"}})
    assert (fault.kind, fault.final, fault.status) == (kind, final, status)
    assert (fault.message, fault.type, fault.code) == ("no", "t", "c")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"message": "a"}}, "a"),
        (
            {"error": "Request failed", "error_type": "generation"},
            "Request failed",
        ),  # TGI, from specification
        ({"detail": "Not Found"}, "Not Found"),
        ({"detail": [{"loc": ["body", "n"], "msg": "too big"}, {"msg": "x"}]}, "n: too big; x"),
        ({"object": "error", "message": "b", "code": 400}, "b"),
        ({"type": "error", "error": {"type": "t", "message": "c"}}, "c"),
        (b"plain words", "plain words"),
        (b"<html><body>nginx</body></html>", "the upstream answered with status 500"),
        (b"", "the upstream answered with status 500"),
        (b"[1]", "the upstream answered with status 500"),
        ({"error": {"message": 3}}, "the upstream answered with status 500"),
        (b"\xff\xfe", "��"),
    ],
)
def test_every_shape_of_error(body: Any, message: str) -> None:
    assert read(500, body).message == message


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 10 tokens",
        "the request exceeds the available context size, try increasing it",
        "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 9 + 8 > 10",
        "max_completion_tokens=99 cannot be greater than max_model_len=10",
    ],
)
def test_a_context_that_is_too_long_may_go_to_a_larger_model(message: str) -> None:
    for status in (400, 413, 422):
        fault = read(status, {"error": {"message": message}})
        assert (fault.code, fault.final, fault.status) == ("context_length_exceeded", False, status)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, {"message": "rejected", "code": "content_policy_violation"}),
        (400, {"message": "The response was filtered due to Azure's content management policy"}),
        (403, {"message": "flagged", "code": "moderation_blocked"}),
    ],
)
def test_a_policy_refusal_is_final(status: int, error: dict[str, str]) -> None:
    fault = read(status, {"error": error})
    assert (fault.kind, fault.final) == ("status", True)
    assert fault.code in ("content_policy_violation", "moderation_blocked")


DATE = "Wed, 21 Oct 2015 07:28:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "3"}, 3.0),
        ({"retry_after": "0.5"}, 0.5),
        ({"retry_after": "9", "retry_after_ms": "1500"}, 1.5),
        ({"retry_after": "Wed, 21 Oct 2015 07:28:30 GMT", "date": DATE}, 30.0),
        ({"retry_after": "Wed, 21 Oct 2015 07:27:00 GMT", "date": DATE}, 0.0),
        ({"retry_after": "Wed, 21 Oct 2015 07:28:30 GMT"}, None),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "soon", "date": DATE}, None),
        ({"retry_after": "-5"}, None),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "inf"}, None),
        ({"retry_after": "999999999"}, 86_400.0),
        ({}, None),
    ],
)
def test_retry_after_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert read(429, {"error": {"message": "slow"}}, **headers).retry_after_s == seconds


@pytest.mark.parametrize(
    "secret",
    [
        "http://10.0.0.7:8000/v1/chat",
        "https://user:pw@internal.example/v1",
        "10.1.2.3:8080",
        "192.168.0.1",
        "localhost:8000",
        "gpu-3.cluster.local:9000",
        "sk-proj-abcdefghijklmnop",
        "sk-abc***********wxyz",
        "Bearer abcdef.ghi",
        "hf_abcdefghijkl",
        "AIzaSyA1234567890",
        "/srv/models/tiny-chat",
    ],
)
def test_no_address_key_or_path_is_shown(secret: str) -> None:
    for text in (f"failed at {secret}", f"x '{secret}' y", f"({secret})", f"key={secret}, z"):
        shown = read(500, {"error": {"message": text}}).message
        assert secret not in shown
        assert "[" in shown


def test_a_stack_trace_is_cut_off() -> None:
    trace = 'boom\n\n  File "/srv/x.py", line 3, in f\n    g()'
    assert read(500, {"error": {"message": trace}}).message == "boom"


def test_words_are_bounded_and_one_line() -> None:
    shown = read(400, {"error": {"message": "a \r\n b" * 10_000, "type": "t" * 1000, "code": "x\ny"}})
    assert len(shown.message) == faults.MESSAGE_LIMIT
    assert "\n" not in shown.message
    assert len(shown.type) == 100
    assert shown.code is None


@given(st.integers(400, 599), st.binary(max_size=60) | st.text(max_size=40).map(lambda t: json.dumps(t).encode()))
def test_any_body_gives_a_fault(status: int, body: bytes) -> None:
    fault = read(status, body)
    assert fault.status == status or fault.code == "context_length_exceeded" or fault.status == 400
    assert fault.message


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcDEF123456",
        "http://10.0.0.7:8000/v1",
        "10.0.0.7:8000",
        "gpu-7.intern.example:8000",
        "/srv/models/one",
    ],
)
@pytest.mark.parametrize("place", ["code", "type", "param"])
def test_no_word_of_an_error_holds_what_its_message_may_not(place: str, secret: str) -> None:
    for said in (secret, f"bad {secret}", "x" * 90 + f" {secret}"):
        fault = read(400, {"error": {"message": "no", place: said}})
        assert not getattr(fault, place)


@pytest.mark.parametrize("secret", ["sk-proj-abcDEF123456", "http://10.0.0.7:8000/v1"])
def test_nor_does_the_place_of_a_detail(secret: str) -> None:
    assert read(422, {"detail": [{"loc": ["body", secret], "msg": "no"}]}).param is None


@pytest.mark.parametrize("word", ["api_connection_error", "messages[0].content", "invalid_api_key", "404", "a.b-c d"])
def test_words_that_tell_nothing_pass(word: str) -> None:
    fault = read(400, {"error": {"message": "no", "code": word, "param": word, "type": word}})
    assert (fault.code, fault.param, fault.type) == (word, word, word)
