"""No prompt, answer or key in a log, metric, page or database, whichever way an answer takes.

There is no log level: `telemetry.log` chooses between JSON and text, and nothing in the configuration, the command line
or the environment makes the router say more. What Python itself can be told to say is switched on here.
"""

import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tests.serving.router import Answer, Router, serving
from tests.serving.upstream import STREAM_HEAD, Upstream, answers, delta, drips, event, later, sends, upstream, whole
from tests.support.line import request

PROMPT = "Where is the canary-prompt-41aa?"
ANSWER = "It is the canary-answer-41aa that sings here all day long, and nobody else."
KEY = "sk-canary-key-41aa"
CANARIES = (b"canary-prompt", b"canary-answer", b"canary-key")
LOUD = {"PYTHONDEVMODE": "1", "PYTHONASYNCIODEBUG": "1", "PYTHONVERBOSE": "", "LOG_LEVEL": "DEBUG", "LOGLEVEL": "DEBUG"}
QUOTED = {"error": {"message": f"cannot read {PROMPT} {ANSWER} {KEY}", "type": "canary-answer", "code": None}}
BEGUN = STREAM_HEAD + b"".join(event(delta(word + " ")) for word in ANSWER.split(" ")[:6])
MALFORMED = event(b'{"choices": [{"delta": {"content": "canary-answer-41aa')


def behaviours(server: Upstream) -> None:
    good = answers(ANSWER)
    server.behaviours |= {
        "good": good,
        "spare": good,
        "slow": later(1.0, good),
        "cut": sends(BEGUN, then="reset"),
        "odd": sends(BEGUN + MALFORMED, then="close"),
        "failed": sends(BEGUN + event(b'{"error": {"message": "canary-answer-41aa", "type": "x"}}'), then="close"),
        "quoting": sends(whole(QUOTED, 500)),
        "refusing": sends(whole(QUOTED, 400)),
        "broken": sends(whole(b'{"choices": "canary-answer-41aa'), then="close"),
        "endless": drips(0.02),
    }


NAMES = ("good", "slow", "cut", "odd", "failed", "quoting", "refusing", "broken", "endless")
PATHS: dict[str, tuple[str, dict[str, object]]] = {
    "chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": PROMPT}]}),
    "messages": ("/v1/messages", {"messages": [{"role": "user", "content": PROMPT}], "max_tokens": 50}),
    "responses": ("/v1/responses", {"input": PROMPT}),
}


def configuration(url: str, style: str) -> str:
    rest = "tier: small, location: local, context: 32768, health: none, breaker: none"
    limits = "timeouts: {first_token: 3s, idle: 1s, total: 3s}"
    where = f"backend: openai_compatible, endpoints: [{{url: '{url}'}}], api_key: {KEY}, {rest}, {limits}"
    models = "\n".join(f"  - {{name: {name}, {where}}}" for name in (*NAMES, "spare"))
    how = "retry: {budget: 1, hedge: 100ms}, on_cut_stream: continue"
    routes = "\n".join(f"  r-{name}: {{models: [{name}, spare], policy: {{kind: fixed}}, {how}}}" for name in NAMES)
    return f"models:\n{models}\nroutes:\n{routes}\ntelemetry: {{log: {style}}}\n"


@pytest.fixture(scope="module", params=["json", "text"])
def router(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    with upstream() as server:
        behaviours(server)
        folder = tmp_path_factory.mktemp("leaks")
        with serving(folder, configuration(server.url, request.param), **LOUD) as running:
            yield running


def eventually(holds: Callable[[], bool], otherwise: str) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, otherwise
        time.sleep(0.02)


def idle(router: Router) -> bool:
    lines = router.ask("/metrics").body.decode().splitlines()
    return all(line.endswith(" 0.0") for line in lines if line.startswith("llm_router_inflight{"))


def stored(router: Router, name: str) -> bool:
    with closing(sqlite3.connect(f"file:{router.database}?mode=ro", uri=True)) as database:
        return bool(database.execute("SELECT 1 FROM outcomes WHERE decision_id = ?", (name,)).fetchone())


def settle(router: Router) -> None:
    """Until all that happened is on the log and in the database: they keep the order, so until one more request is."""
    eventually(lambda: idle(router), "requests still run")
    last = router.chat("r-good").headers["x-router-decision-id"]
    eventually(lambda: last in router.log() and stored(router, last), "a request left no line and no record")


def found(router: Router) -> list[str]:
    """Where a canary is that must be nowhere but in the answer to its client."""
    settle(router)
    places = {path: router.ask(path).body for path in ("/metrics", "/dashboard", "/readyz", "/v1/models")}
    places |= {path.name: path.read_bytes() for path in router.folder.iterdir() if path.name != "router.yaml"}
    assert any(name.startswith("router.db") and data for name, data in places.items())
    return [f"{name}: {one!r}" for name, data in places.items() for one in CANARIES if one in data]


def said(answer: Answer) -> bool:
    return b"canary-answer" in answer.body


@pytest.mark.parametrize("speaks", PATHS)
def test_answers_that_come_from_wherever_leave_nothing_behind(router: Router, speaks: str) -> None:
    """Whole, streamed, hedged, continued after a cut, quoted by an upstream's error."""
    path, body = PATHS[speaks]

    def ask(name: str) -> list[Answer]:
        return [router.ask(path, {"model": f"r-{name}", "stream": stream, **body}) for stream in (False, True)]

    with ThreadPoolExecutor(len(NAMES)) as many:
        told = dict(zip(NAMES, many.map(ask, NAMES), strict=True))
    assert not [one for both in told.values() for one in both if KEY in f"{one.headers} {one.body!r}"]
    assert all(said(one) for name in ("good", "slow") for one in told[name]), "the canary was there to be found"
    assert found(router) == []


def test_the_ways_were_taken(router: Router) -> None:
    """Or the test above would look where nothing was."""
    assert router.ask(*_asked("slow")).headers["x-router-reason"] == "fallback:hedged"
    cut = router.ask(*_asked("cut"))
    assert cut.body.count(b"canary-answer") == 1
    assert cut.body.rstrip().endswith(b"[DONE]")
    settle(router)
    metrics = router.ask("/metrics").body.decode()
    assert 'outcome="hedged"' in metrics
    assert 'outcome="truncated"' in metrics or 'outcome="reset"' in metrics


def _asked(name: str) -> tuple[str, dict[str, object]]:
    path, body = PATHS["chat"]
    return path, {"model": f"r-{name}", "stream": True, **body}


@pytest.mark.parametrize("name", ["good", "slow", "cut", "endless"])
@pytest.mark.parametrize("after", [0, 400])
def test_clients_that_leave_leave_nothing_behind(router: Router, name: str, after: int) -> None:
    data = request(f"r-{name}", stream=True, text=PROMPT)
    with closing(socket.create_connection(("127.0.0.1", router.port), timeout=10)) as connection:
        connection.sendall(data)
        received = b""
        while len(received) < after and (part := connection.recv(400)):
            received += part
        if not after:
            time.sleep(0.05)
    assert found(router) == []


@pytest.mark.parametrize("body", [b'{"model": "r-good", "messages": "canary-prompt-41aa"', b'{"canary-prompt": 1}'])
def test_requests_that_are_refused_leave_nothing_behind(router: Router, body: bytes) -> None:
    for path, _ in PATHS.values():
        assert router.ask(path, body).status == 400
    assert found(router) == []


def test_an_answer_that_is_given_again_leaves_nothing_behind(router: Router) -> None:
    for _ in range(2):
        answer = router.chat("r-good", PROMPT, headers={"Idempotency-Key": "again"})
        assert said(answer)
    assert answer.headers["idempotent-replayed"] == "true"
    assert found(router) == []


def test_no_switch_makes_the_log_say_more() -> None:
    """The router reads no level: a logger that it configures is one of its own, at WARNING."""
    source = Path(__file__).parents[2] / "src/llm_inference_router"
    text = "\n".join(path.read_text() for path in source.rglob("*.py"))
    assert not [word for word in ("logging.DEBUG", "setLevel(", "basicConfig(", "LOG_LEVEL") if word in text]
