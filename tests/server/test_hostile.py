"""What attackers try on the way in: each is one short refusal, costs little, and no model hears of it."""

import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from llm_inference_router.config.schema import Key, Secret
from llm_inference_router.dialects.chat import parse as parse_chat
from llm_inference_router.errors import RouterError, Unauthorized
from llm_inference_router.server.auth import Keys
from tests.serving.router import Answer, Router, config, parse, serving
from tests.serving.upstream import Upstream, answers, upstream

POST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
INNER = b'{"model":"auto","messages":[{"role":"user","content":"hi"}]}'
SMUGGLED = POST + b"Content-Length: %d\r\n\r\n" % len(INNER) + INNER
KEYS = "server: {keys: [{name: app, key: sk-app}]}"


@pytest.fixture(scope="module")
def backend() -> Iterator[Upstream]:
    with upstream(one=answers()) as server:
        yield server


@pytest.fixture(scope="module")
def router(backend: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    with serving(tmp_path_factory.mktemp("hostile"), config(backend.url, "one")) as running:
        yield running


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="CL.TE"),
        pytest.param(POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", id="TE.CL"),
        pytest.param(POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", id="unknown coding"),
        pytest.param(POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", id="chunked is not last"),
        pytest.param(POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", id="a space before the colon"),
        pytest.param(POST + b"Content-Length: 1\r\nContent-Length: 0\r\n\r\n", id="two lengths"),
        pytest.param(POST + b"Content-Length: +0\r\n\r\n", id="a length with a sign"),
        pytest.param(POST + b"Content-Length: -1\r\n\r\n", id="a negative length"),
        pytest.param(POST + b"Content-Length: 0x0\r\n\r\n", id="a hexadecimal length"),
        pytest.param(POST + b"Content-Length: 99999999999999999999999\r\n\r\n", id="a length beyond 64 bits"),
        pytest.param(POST + b"X-A: b\r\n Content-Length: 0\r\n\r\n", id="a folded line"),
        pytest.param(POST + b"X-A: b\nContent-Length: 0\r\nHost: other\r\n\r\n", id="a bare line feed, two hosts"),
        pytest.param(POST + b"X-A: b\0c\r\n\r\n", id="a zero byte"),
        pytest.param(POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", id="a chunk size that is none"),
        pytest.param(POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", id="a negative chunk size"),
    ],
)
def test_a_request_that_two_parsers_may_read_differently_ends_its_connection(
    router: Router, backend: Upstream, head: bytes
) -> None:
    """What follows it is never taken for a second request."""
    seen = len(backend.requests)
    raw = router.raw(head + SMUGGLED)
    assert parse(raw).status in (400, 413)
    assert raw.count(b"HTTP/1.1 ") == 1
    assert len(backend.requests) == seen
    assert router.ask("/livez").status == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]}),
        ("/v1/completions", {"prompt": "hi"}),
        ("/v1/embeddings", {"input": "hi"}),
        ("/v1/responses", {"input": "hi"}),
        ("/v1/messages", {"max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}),
        ("/v1/route", {"messages": [{"role": "user", "content": "hi"}]}),
    ],
)
@pytest.mark.parametrize("field", ["base_url", "api_base", "api_key"])
def test_no_request_says_where_it_is_sent_or_with_which_key(
    router: Router, backend: Upstream, path: str, body: dict[str, Any], field: str
) -> None:
    seen = len(backend.requests)
    answer = router.ask(path, {"model": "auto", **body, field: "http://169.254.169.254/"})
    assert answer.status == 400, answer.body
    assert field in answer.json()["error"]["message"] + str(answer.json()["error"].get("param"))
    assert len(backend.requests) == seen


def shape(answer: Answer) -> tuple[int, tuple[str, ...], bytes]:
    return answer.status, tuple(sorted(answer.headers)), answer.body


def test_every_wrong_key_is_answered_alike(backend: Upstream, tmp_path_factory: pytest.TempPathFactory) -> None:
    with serving(tmp_path_factory.mktemp("keys"), config(backend.url, "one", extra=KEYS)) as router:
        wrong = ["x", "sk-ap", "sk-app2", "SK-APP", "k" * 4000, "schl\xfcssel", *map(str, range(200))]
        seen = {shape(router.chat(headers={"Authorization": f"Bearer {key}"})) for key in wrong}
        assert {one[0] for one in seen} == {401}
        assert len(seen) == 1, "neither its length nor how much of it is right shows"
        assert router.chat(headers={"Authorization": "Bearer sk-app"}).status == 200


def test_a_hundred_thousand_wrong_keys_leave_nothing_behind() -> None:
    keys = Keys([Key(name="app", key=Secret("sk-app"))])
    messages: set[str] = set()

    def guess(number: int) -> None:
        try:
            keys.grant({b"authorization": b"Bearer sk-%d" % number}, "inference")
        except Unauthorized as refused:
            messages.add(refused.message)
        else:
            raise AssertionError(f"sk-{number} was let in")

    guess(0)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(100_000):
            guess(number)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(messages) == 1
    assert grown < 1_000_000, "a kept key would be some 100 bytes: ten times as much"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"a":' * 100_000, id="depth"),
        pytest.param(b"[" * 1_000_000, id="a million brackets"),
        pytest.param(INNER[:-1] + b',"seed":1' + b"0" * 100_000 + b"}", id="a huge number"),
        pytest.param(INNER.replace(b"hi", b"\xff" * 1_000_000), id="bad UTF-8"),
        pytest.param(INNER.replace(b'"hi"', b"NaN"), id="NaN"),
        pytest.param(INNER.replace(b"hi", b"\\ud800"), id="a lone surrogate"),
        pytest.param(INNER[:-1] + b" " * 1_000_000, id="unfinished"),
    ],
)
def test_bad_json_is_refused_within_50_ms_of_the_processor(body: bytes) -> None:
    spent = []
    for _ in range(5):
        began = time.thread_time()
        with pytest.raises(RouterError):
            parse_chat(body)
        spent.append(time.thread_time() - began)
    assert min(spent) < 0.05
