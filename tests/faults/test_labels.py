"""Whatever clients name, the metrics stay the size that the configuration gives them."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from socket import create_connection

import orjson
import pytest

from tests.serving.router import Router, config, serving
from tests.serving.upstream import answers, upstream

BATCH = 500
MANY = 100_000
NAMES = 8  # in one request
SERVED = 500


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    with upstream(one=answers(), two=answers()) as backend, serving(tmp_path, config(backend.url, "one", "two")) as one:
        yield one


def series(router: Router) -> set[str]:
    lines = router.ask("/metrics").body.decode().splitlines()
    return {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}


def asked(model: str, name: str) -> bytes:
    """A request in which a client names `NAMES` things."""
    body = {"model": model, "user": f"user-{name}", "messages": [{"role": "user", "content": "Hi"}]}
    data = orjson.dumps(body)
    fields = {
        "Host": "localhost",
        "Content-Length": len(data),
        "X-Router-User": f"u-{name}",
        "X-Router-Session": f"s-{name}",
        "X-Router-Tags": f"team-{name}=t-{name}",
        "X-Request-Id": f"r-{name}",
        "User-Agent": f"agent-{name}",
    }
    head = "".join(f"{field}: {value}\r\n" for field, value in fields.items())
    return f"POST /v1/chat/completions HTTP/1.1\r\n{head}\r\n".encode() + data


def batch(router: Router, requests: list[bytes], status: bytes) -> None:
    """Sends them on one connection and waits for as many answers."""
    with closing(create_connection(("127.0.0.1", router.port), timeout=60)) as connection:
        for at in range(0, len(requests), 50):
            connection.sendall(b"".join(requests[at : at + 50]))
            received = b""
            while received.count(b"HTTP/1.1 ") < len(requests[at : at + 50]):
                part = connection.recv(1 << 20)
                assert part, received[-300:]
                received += part
            assert received.count(b"HTTP/1.1 " + status) == len(requests[at : at + 50])


def test_a_hundred_thousand_names_make_no_new_series(router: Router) -> None:
    """Models that do not exist, users, sessions, tags, request ids and agents; some of them are served."""
    for model, status in (("one", b"200"), ("auto", b"200"), ("nobody", b"404")):
        batch(router, [asked(model, "first")], status)
    before = series(router)
    for start in range(0, MANY // NAMES, BATCH):
        batch(router, [asked(f"model-{n}", str(n)) for n in range(start, start + BATCH)], b"404")
    for start in range(0, SERVED, 50):
        batch(router, [asked(("one", "auto")[n % 2], f"served-{n}") for n in range(start, start + 50)], b"200")
    assert series(router) == before
