"""What a client sees when it asks wrongly: always OpenAI's shape, always a status its library reacts to rightly."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.serving.router import Answer, Router, config, parse, serving
from tests.serving.upstream import Upstream, upstream

USER = [{"role": "user", "content": "hi"}]
CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def backend() -> Iterator[Upstream]:
    with upstream() as server:
        yield server


@pytest.fixture(scope="module")
def router(backend: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    with serving(tmp_path_factory.mktemp("errors"), config(backend.url, "one", "two")) as running:
        yield running


def is_error(answer: Answer, status: int, code: str | None = None, param: str | None = None) -> None:
    assert answer.status == status, answer.body
    error = answer.json()["error"]
    assert set(error) >= {"message", "type", "param", "code"}
    assert isinstance(error["message"], str)
    assert error["message"]
    if code is not None:
        assert error["code"] == code
    if param is not None:
        assert error["param"] == param


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"{", None),
        (b"[]", None),
        (b'"text"', None),
        (b'{"model": "auto", "messages": [{"role": "user", "content": NaN}]}', None),
        pytest.param(b'{"a":' * 100_000, None, id="a hundred thousand levels"),
        (b"\xff\xfe", None),
        (b'{"model": "auto", "messages": [{"role": "user", "content": "\\ud800"}]}', None),
        (b'{"model": "auto", "messages": [{"role": "user", "content": "hi"}], "seed": 1' + b"0" * 5000 + b"}", None),
        (b'{"model": "auto", "messages": [{"role": "user", "content": "hi"}], "top_p": 1e999}', None),
        ({"messages": USER}, "model"),
        ({"model": 7, "messages": USER}, "model"),
        ({"model": "auto\r\nX: y", "messages": USER}, "model"),
        ({"model": "auto"}, "messages"),
        ({"model": "auto", "messages": []}, "messages"),
        ({"model": "auto", "messages": "hi"}, "messages"),
        ({"model": "auto", "messages": [{"role": "king", "content": "hi"}]}, "messages[0].role"),
        ({"model": "auto", "messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
        ({"model": "auto", "messages": USER, "stream": "yes"}, "stream"),
        ({"model": "auto", "messages": USER, "max_tokens": 0}, "max_tokens"),
        ({"model": "auto", "messages": USER, "max_tokens": "many"}, "max_tokens"),
        ({"model": "auto", "messages": USER, "temperature": "hot"}, "temperature"),
        ({"model": "auto", "messages": USER, "tools": {}}, "tools"),
        ({"model": "auto", "messages": USER, "n": 0}, "n"),
    ],
)
def test_a_bad_body_is_a_400_that_names_the_place(router: Router, body: Any, param: str | None) -> None:
    is_error(router.ask(CHAT, body), 400, param=param)


def test_a_million_keys_are_a_400(router: Router) -> None:
    keys = b",".join(b'"%d":1' % number for number in range(1_000_000))
    body = b'{"model": "auto", "messages": [{"role": "user", "content": "hi"}], "metadata": {%b}}'
    is_error(router.ask(CHAT, body % keys), 400)


def test_an_unknown_model_is_a_404_that_offers_the_routes(router: Router) -> None:
    answer = router.chat("gpt-9")
    is_error(answer, 404, "model_not_found", "model")
    assert "auto" in answer.json()["error"]["message"]


def test_a_body_over_the_limit_is_a_413_before_it_is_read(router: Router) -> None:
    is_error(router.ask(CHAT, b'{"model":"auto","messages":"' + b"x" * 25_000_000 + b'"}'), 413, "request_too_large")


def test_a_chunked_body_over_the_limit_is_a_413(router: Router) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    head += b"Transfer-Encoding: chunked\r\n\r\n"
    piece = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    is_error(parse(router.raw(head + piece * 30 + b"0\r\n\r\n")), 413, "request_too_large")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-router-quality", "1.5"),
        ("x-router-quality", "good"),
        ("x-router-max-cost-usd", "-1"),
        ("x-router-max-cost-usd", "nan"),
        ("x-router-tags", "novalue"),
        ("x-router-session", "x" * 300),
    ],
)
def test_a_header_that_cannot_be_read_is_named(router: Router, name: str, value: str) -> None:
    is_error(router.chat(headers={name: value}), 400, param=name)


def test_a_cost_cap_that_nothing_meets_is_a_422_with_reasons(router: Router) -> None:
    answer = router.chat("two", headers={"x-router-max-cost-usd": "0.000000001"})
    is_error(answer, 422, "no_candidate")
    assert "cost" in answer.json()["error"]["message"]


def test_paths_and_methods_that_do_not_exist(router: Router) -> None:
    is_error(router.ask("/v1/nothing"), 404, "unknown_path")
    is_error(router.ask(CHAT), 405, "method_not_allowed")
    is_error(router.ask("/v1/models", {}), 405, "method_not_allowed")
    is_error(router.ask("/v1/models/none"), 404, "model_not_found")


@pytest.mark.parametrize(
    "head",
    [
        b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 70_000 + b"\r\n\r\n",
        b"NONSENSE\r\n\r\n",
        b"POST /v1/route HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    ],
)
def test_broken_http_is_refused_in_our_shape(router: Router, backend: Upstream, head: bytes) -> None:
    seen = len(backend.requests)
    answer = parse(router.raw(head))
    assert answer.status in (400, 413)
    assert answer.json()["error"]["code"]
    assert len(backend.requests) == seen


def test_without_keys_other_hosts_and_web_pages_are_refused(router: Router) -> None:
    is_error(router.ask("/v1/models", headers={"Host": "evil.example"}), 403, "foreign_host")
    is_error(router.ask("/v1/models", headers={"Origin": "https://evil.example"}), 403, "foreign_origin")
    assert router.ask("/v1/models", headers={"Origin": f"http://localhost:{router.port}"}).status == 200


def test_a_silent_connection_is_closed_and_others_go_on(router: Router) -> None:
    with closing(socket.create_connection(("127.0.0.1", router.port), timeout=20)) as silent:
        silent.sendall(b"GET /livez HTTP/1.1\r\nHost: loc")
        began = time.monotonic()
        assert router.ask("/livez").status == 200
        assert silent.recv(100) == b""
        assert time.monotonic() - began < 15


def test_keys_open_and_close_doors(backend: Upstream, tmp_path_factory: pytest.TempPathFactory) -> None:
    keys = """server:
  keys:
    - {name: app, key: sk-app, routes: [auto]}
    - {name: ops, key: sk-ops, scopes: [admin]}
"""
    with serving(tmp_path_factory.mktemp("keys"), config(backend.url, "one", "two", extra=keys)) as router:
        app, ops = {"Authorization": "Bearer sk-app"}, {"Authorization": "Bearer sk-ops"}
        assert router.chat(headers=app).status == 200
        is_error(router.chat(), 401, "missing_api_key")
        is_error(router.chat(headers={"Authorization": "Bearer sk-wrong"}), 401, "invalid_api_key")
        is_error(router.chat(headers=ops), 403, "permission_denied")
        is_error(router.chat("one", headers=app), 404, "model_not_found")
        is_error(router.ask("/metrics", headers=app), 403)
        assert router.ask("/metrics", headers=ops).status == 200
        names = [m["id"] for m in router.ask("/v1/models", headers=app).json()["data"]]
        assert names == ["auto"]
        asked = router.ask("/dashboard")
        assert asked.status == 401
        assert asked.headers["www-authenticate"].startswith("Basic")
        assert "sk-" not in router.log()
        assert router.chat(headers={"x-api-key": "sk-app"}).status == 200
