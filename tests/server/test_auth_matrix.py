"""Every path with every kind of key: what a key was not given, it may not do."""

import base64
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_inference_router.dialects.spoken import PATHS
from llm_inference_router.server import pages
from tests.serving.router import Router, config, serving
from tests.serving.upstream import Upstream, upstream

PAGE = (Path(__file__).parents[2] / "docs/reference/http.md").read_text()
ROWS = re.findall(r"^\| (GET|POST|DELETE) (/\S*) \| (?:`(\w+)`|none) \|", PAGE, re.MULTILINE)
KEYS = {
    "inference": "sk-only-inference-1",
    "admin": "sk-only-admin-1",
    "feedback": "sk-only-feedback-1",
    "wrong": "sk-of-nobody-1",
    "empty": "",
}
PLACES = {"{name}": {"/v1/models/{name}": "auto", "/admin/endpoints/{name}": "one@{port}"}}
BODIES = {
    "/v1/chat/completions": {"model": "auto", "messages": [{"role": "user", "content": "Hi"}]},
    "/v1/messages": {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]},
    "/v1/messages/count_tokens": {"model": "auto", "messages": [{"role": "user", "content": "Hi"}]},
    "/v1/responses": {"model": "auto", "input": "Hi"},
    "/v1/completions": {"model": "auto", "prompt": "Hi"},
    "/v1/route": {"model": "auto", "messages": [{"role": "user", "content": "Hi"}]},
    "/admin/endpoints/{name}": {"drained": False},
}


@pytest.fixture(scope="module")
def backend() -> Iterator[Upstream]:
    with upstream() as server:
        yield server


@pytest.fixture(scope="module")
def router(backend: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    keys = ", ".join(
        f"{{name: {scope}, key: {KEYS[scope]}, scopes: [{scope}]}}" for scope in ("inference", "admin", "feedback")
    )
    text = config(backend.url, "one", "two", extra=f"server: {{keys: [{keys}]}}")
    with serving(tmp_path_factory.mktemp("keys"), text) as running:
        yield running


def ways(key: str) -> list[dict[str, str]]:
    basic = base64.b64encode(f"anyone:{key}".encode()).decode()
    return [{"Authorization": f"Bearer {key}"}, {"X-Api-Key": key}, {"Authorization": f"Basic {basic}"}]


def address(path: str, backend: Upstream) -> str:
    for place, known in PLACES.items():
        path = path.replace(place, known.get(path, "").format(port=f"127.0.0.1:{backend.port}"))
    return path


def test_every_path_of_the_router_is_in_the_table() -> None:
    routes = re.findall(r'Route\("([^"]+)"', inspect.getsource(pages.pages))
    assert {path.replace(":path}", "}") for path in routes} | set(PATHS) == {path for _, path, _ in ROWS}


@pytest.mark.parametrize("kind", ["none", *KEYS])
@pytest.mark.parametrize(("method", "path", "scope"), ROWS)
def test_a_path_is_open_to_keys_with_its_scope_and_to_nobody_else(
    router: Router, backend: Upstream, method: str, path: str, scope: str, kind: str
) -> None:
    wanted = BODIES.get(path)
    for headers in [{}] if kind == "none" else ways(KEYS[kind]):
        asked = len(backend.requests)
        answer = router.ask(address(path, backend), wanted, method=method, headers=headers)
        if not scope or kind == scope:
            assert answer.status not in (401, 403, 404, 405), answer.body
            continue
        expected = 401 if kind in ("none", "wrong", "empty") else 403
        assert answer.status == expected, (headers, answer.body)
        assert len(backend.requests) == asked
        assert "x-router-decision-id" not in answer.headers
        assert not [secret for secret in KEYS.values() if secret and secret in f"{answer.headers} {answer.body!r}"]


@pytest.mark.parametrize(("method", "path", "scope"), [row for row in ROWS if row[2]])
@pytest.mark.parametrize("body", [b"{", b'{"a":' * 1000, b""])
def test_a_key_is_looked_at_before_the_body(
    router: Router, backend: Upstream, method: str, path: str, scope: str, body: bytes
) -> None:
    assert router.ask(address(path, backend), body, method=method).status == 401


@pytest.mark.parametrize("kind", ["none", *KEYS])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_no_other_method_gets_past_a_key(router: Router, backend: Upstream, method: str, kind: str) -> None:
    """With a method that a path has not, nobody reaches what is behind it."""
    asked = len(backend.requests)
    has = {(known, path) for known, path, _ in ROWS}
    for path in dict.fromkeys(path for _, path in has):
        if (method, path) in has or (method == "HEAD" and ("GET", path) in has):
            continue
        headers = {} if kind == "none" else ways(KEYS[kind])[0]
        answer = router.ask(address(path, backend), BODIES.get(path), method=method, headers=headers)
        assert answer.status in (401, 405), (method, path, answer.status)
    assert len(backend.requests) == asked


@pytest.mark.parametrize(
    "path",
    [
        "/v1//chat/completions",
        "/v1/chat/completions/",
        "/V1/chat/completions",
        "/v1/chat/completions/../../../metrics",
        "/v1/chat/%63ompletions",
        "/%6detrics",
        "/metrics/",
        "/./metrics",
        "//metrics",
        "/livez/../metrics",
        "/admin",
        "/admin/",
        "/admin/reload/",
        "/docs",
        "/openapi.json",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_spelling_of_a_path_leads_past_its_key(router: Router, backend: Upstream, method: str, path: str) -> None:
    asked = len(backend.requests)
    answer = router.ask(path, BODIES["/v1/chat/completions"], method=method)
    assert answer.status in (307, 400, 401, 404, 405), answer.status
    assert len(backend.requests) == asked
    assert b"llm_router_" not in answer.body


@pytest.mark.parametrize(
    "given",
    [
        "Bearer",
        "Bearer ",
        "bearer sk-only-inference-",
        "Bearer sk-only-inference-1x",
        "Bearer sk-only-inference-1 x",
        "Bearer SK-ONLY-INFERENCE-1",
        "Basic !!!",
        "Basic c2s=",
        "Digest sk-only-inference-1",
        "sk-only-inference-1",
        "Bearer " + "x" * 8000,
    ],
)
def test_what_is_almost_a_key_is_none(router: Router, given: str) -> None:
    assert router.ask("/v1/models", headers={"Authorization": given}).status == 401


def test_a_hundred_thousand_wrong_keys_are_told_the_same_and_cost_no_memory(router: Router) -> None:
    """In batches on kept connections: what is refused is remembered nowhere."""
    status = Path(f"/proc/{router.process.pid}/status")
    if not status.exists():
        pytest.skip("memory is read in /proc")
    shapes: set[bytes] = set()

    def batch(number: int) -> None:
        wrong = "".join(
            f"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer sk-{number}-{one}\r\n"
            f"{'Connection: close' if one == 99 else 'Connection: keep-alive'}\r\n\r\n"
            for one in range(100)
        )
        found = re.findall(rb"HTTP/1\.1 (\d+) [^{]*(\{.*?\}\})", router.raw(wrong.encode()), re.DOTALL)
        assert len(found) == 100
        shapes.update(status + re.sub(rb"req_\w+", b"", body) for status, body in found)

    def resident() -> int:
        return int(status.read_text().split("VmRSS:")[1].split()[0])

    for number in range(200):
        batch(number)
    before = resident()
    for number in range(200, 1000):
        batch(number)
    assert len(shapes) == 1
    assert resident() - before < 8 * 1024, "kB"
