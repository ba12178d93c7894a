"""A configuration that changes while the router runs."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_inference_router.config.load import load
from llm_inference_router.config.schema import Config
from llm_inference_router.server import reload
from llm_inference_router.server.reload import Loaded, Reloads, Source
from llm_inference_router.telemetry.logs import Log
from llm_inference_router.telemetry.metrics import Metrics
from tests.serving.router import Router, config, serving
from tests.serving.upstream import Request, Upstream, completion, fails, sends, upstream, whole


@pytest.fixture(scope="module")
def backend() -> Iterator[Upstream]:
    with upstream() as server:
        for name in ("one", "two", "three"):
            server.behaviours[name] = sends(whole(completion(f"I am {name}")))
        yield server


@pytest.fixture
def router(backend: Upstream, tmp_path: Path) -> Iterator[Router]:
    with serving(tmp_path, config(backend.url, "one", "two")) as running:
        yield running


def eventually(holds: Callable[[], bool], seconds: float = 15.0) -> None:
    """Waits for a fact; the bound is generous because it is no measurement."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.02)


def models(router: Router) -> list[str]:
    return [one["id"] for one in router.ask("/v1/models").json()["data"]]


def write(router: Router, text: str) -> None:
    """As editors and deployments do: a new file under the old name."""
    new = router.folder / "router.yaml.new"
    new.write_text(text)
    new.rename(router.folder / "router.yaml")


def reloads(router: Router, result: str) -> float:
    lines = router.ask("/metrics").body.decode().splitlines()
    found = [line for line in lines if line.startswith(f'llm_router_config_reloads_total{{result="{result}"}}')]
    return float(found[0].rpartition(" ")[2]) if found else 0.0


def by_file(router: Router) -> None:
    """Nothing to do: it is looked at once a second."""


def by_signal(router: Router) -> None:
    router.process.send_signal(signal.SIGHUP)


def by_request(router: Router) -> None:
    assert router.ask("/admin/reload", method="POST").json() == {"status": "reloaded", "needs_restart": []}


@pytest.mark.parametrize("ask", [by_file, by_signal, by_request])
def test_a_new_configuration_is_served(router: Router, backend: Upstream, ask: Callable[[Router], None]) -> None:
    write(router, config(backend.url, "two", "three"))
    ask(router)
    eventually(lambda: models(router) == ["auto", "two", "three"])
    assert router.chat().json()["choices"][0]["message"]["content"] == "I am two"
    assert reloads(router, "ok") >= 1


BROKEN: dict[str, Callable[[str], str]] = {
    "half written": lambda text: text[: len(text) // 2],
    "an unknown key": lambda text: text + "serverr: {}\n",
    "an alias bomb": lambda text: "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n" + text,
    "no UTF-8": lambda text: text + "# \udcff\n",
    "empty": lambda text: "",
    "an unset variable": lambda text: text.replace("kind: fixed", "kind: '${NOT_SET_ANYWHERE}'"),
    "not available yet": lambda text: text.replace("policy:", "explore: 0.1, policy:"),
    "no predictor": lambda text: text.replace("policy:", "predictor: nowhere.bin, policy:"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_configuration_replaces_nothing_and_says_so(router: Router, backend: Upstream, name: str) -> None:
    text = config(backend.url, "three")
    (router.folder / "router.yaml").write_bytes(BROKEN[name](text).encode("utf-8", "surrogateescape"))
    answer = router.ask("/admin/reload", method="POST")
    assert answer.status == 422
    assert answer.json()["status"] == "refused"
    assert answer.json()["problems"]
    assert models(router) == ["auto", "one", "two"]
    assert router.chat().status == 200
    ready = router.ask("/readyz")
    assert (ready.status, ready.json()["status"]) == (200, "degraded")
    assert "refused" in ready.json()["troubles"][0]
    assert reloads(router, "refused") >= 1
    assert "config_refused" in router.log()
    write(router, text)
    by_request(router)
    assert router.ask("/readyz").json() == {"status": "ready", "troubles": []}


def test_a_file_that_is_broken_for_a_while_is_taken_up_when_it_is_whole(router: Router, backend: Upstream) -> None:
    text = config(backend.url, "three")
    write(router, text[:40])
    eventually(lambda: reloads(router, "refused") >= 1)
    write(router, text)
    eventually(lambda: models(router) == ["auto", "three"])


def test_a_file_that_is_gone_is_no_configuration(router: Router) -> None:
    (router.folder / "router.yaml").unlink()
    assert "no such file" in router.ask("/admin/reload", method="POST").json()["problems"][0]
    assert router.chat().status == 200


def test_what_takes_a_restart_is_named_and_the_rest_is_served(router: Router, backend: Upstream) -> None:
    extra = "server: {port: 1, max_requests: 7}\nstore: {url: 'sqlite:///other.db'}\n"
    write(router, config(backend.url, "three", extra=extra))
    # The port was given on the command line, which goes before the file.
    assert router.ask("/admin/reload", method="POST").json()["needs_restart"] == ["store.url"]
    assert models(router) == ["auto", "three"]
    assert not (router.folder / "other.db").exists()


def test_a_model_that_is_taken_away_finishes_what_it_runs(router: Router, backend: Upstream) -> None:
    asked, go = threading.Event(), threading.Event()

    async def slow(writer: asyncio.StreamWriter, request: Request) -> None:
        asked.set()
        while not go.is_set():  # noqa: ASYNC110 - the event is of another thread
            await asyncio.sleep(0.01)
        await sends(whole(completion("I was one")))(writer, request)

    backend.behaviours["one"] = slow
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(router.chat("one")))
    thread.start()
    try:
        assert asked.wait(10)
        write(router, config(backend.url, "three"))
        by_request(router)
        assert router.chat("one").status == 404
    finally:
        go.set()
        thread.join()
        backend.behaviours["one"] = sends(whole(completion("I am one")))
    assert answers[0].json()["choices"][0]["message"]["content"] == "I was one"


def test_fifty_reloads_under_load_fail_no_request(router: Router, backend: Upstream) -> None:
    statuses: list[int] = []
    over = threading.Event()

    def load() -> None:
        while not over.is_set():
            statuses.append(router.chat().status)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(50):
            write(router, config(backend.url, *(("one", "two") if turn % 2 else ("two", "three"))))
            by_request(router)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert len(statuses) >= 50
    assert set(statuses) == {200}
    assert router.stop() == 0


def test_what_is_known_of_an_endpoint_outlives_a_reload(backend: Upstream, tmp_path: Path) -> None:
    text = config(backend.url, "ill", "two").replace("breaker: none", "breaker: {failures: 1, open: 1h}")
    backend.behaviours["ill"] = sends(b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n")
    with serving(tmp_path, text) as router:
        assert router.chat().headers["x-router-model"] == "two"
        by_request(router)
        seen = sum(one.body["model"] == "ill" for one in backend.requests)
        assert router.chat().headers["x-router-model"] == "two"
        assert sum(one.body["model"] == "ill" for one in backend.requests) == seen


def asked(backend: Upstream, router: Router, model: str, requests: int = 1) -> int:
    """How often the upstream is asked for a model while that many requests are answered."""
    before = len(backend.asked(model))
    for _ in range(requests):
        router.chat()
    return len(backend.asked(model)) - before


def test_a_breaker_follows_its_new_settings_at_once(backend: Upstream, tmp_path: Path) -> None:
    text = config(backend.url, "ill", "two")
    backend.behaviours["ill"] = fails(500)
    with serving(tmp_path, text) as router:
        assert asked(backend, router, "ill", 3) >= 3
        write(router, text.replace("breaker: none", "breaker: {failures: 1, open: 1h}", 1))
        by_request(router)
        assert asked(backend, router, "ill", 4) == 1
        write(router, text.replace("breaker: none", "breaker: {failures: 2, open: 1h}", 1))
        by_request(router)
        assert asked(backend, router, "ill", 4) == 2
        write(router, text)
        by_request(router)
        assert asked(backend, router, "ill", 3) >= 3


def test_a_mended_key_is_tried_at_once(backend: Upstream, tmp_path: Path) -> None:
    async def locked(writer: asyncio.StreamWriter, request: Request) -> None:
        right = "authorization: bearer sk-right" in request.head.lower()
        await (sends(whole(completion("I am locked"))) if right else fails(401))(writer, request)

    backend.behaviours["locked"] = locked
    text = config(backend.url, "locked", "two").replace("price:", "api_key: sk-wrong, price:", 1)
    with serving(tmp_path, text) as router:
        assert router.chat().headers["x-router-model"] == "two"
        assert asked(backend, router, "locked", 3) == 0
        write(router, "# the same key\n" + text)
        by_request(router)
        assert asked(backend, router, "locked", 3) == 0
        write(router, text.replace("sk-wrong", "sk-right"))
        by_request(router)
        assert router.chat().headers["x-router-model"] == "locked"


def test_a_reload_gives_no_retries_back(backend: Upstream, tmp_path: Path) -> None:
    """Of a route and of a pinned model: the reserve of ten is spent once."""
    backend.behaviours["ill"] = fails(500)
    for name, model in (("route", "auto"), ("pinned", "ill")):
        with serving(tmp_path / name, config(backend.url, "ill")) as router:
            before = len(backend.asked("ill"))
            for turn in range(12):
                router.chat(model)
                write(router, f"# {turn}\n" + config(backend.url, "ill"))
                by_request(router)
            retries = len(backend.asked("ill")) - before - 12
        assert 10 <= retries <= 10 + 0.2 * 12


def gauges(router: Router, name: str) -> dict[str, float]:
    lines = router.ask("/metrics").body.decode().splitlines()
    found = [line for line in lines if line.startswith(f"llm_router_{name}{{")]
    return {line.split('"')[1].partition("@")[0]: float(line.rpartition(" ")[2]) for line in found}


def test_gauges_are_of_what_is_served_and_of_what_still_runs(router: Router, backend: Upstream) -> None:
    go = threading.Event()

    async def slow(writer: asyncio.StreamWriter, request: Request) -> None:
        while not go.is_set():  # noqa: ASYNC110 - the event is of another thread
            await asyncio.sleep(0.01)
        await sends(whole(completion("I was one")))(writer, request)

    backend.behaviours["one"] = backend.behaviours["two"] = slow
    threads = [threading.Thread(target=router.chat, args=(name,)) for name in ("one", "two")]
    try:
        for thread in threads:
            thread.start()
        eventually(lambda: gauges(router, "inflight") == {"one": 1, "two": 1})
        write(router, config(backend.url, "two", "three"))
        by_request(router)
        assert gauges(router, "inflight") == {"one": 1, "two": 1, "three": 0}
        assert gauges(router, "breaker_state") == {"one": 0, "two": 0, "three": 0}
    finally:
        go.set()
        for thread in threads:
            thread.join()
        for name in ("one", "two"):
            backend.behaviours[name] = sends(whole(completion(f"I am {name}")))
    eventually(lambda: gauges(router, "inflight") == {"two": 0, "three": 0})
    assert gauges(router, "breaker_state") == {"two": 0, "three": 0}


def test_only_an_admin_may_ask_for_it(backend: Upstream, tmp_path: Path) -> None:
    keys = "server: {keys: [{name: app, key: sk-app}, {name: ops, key: sk-ops, scopes: [admin]}]}"
    with serving(tmp_path, config(backend.url, "one", extra=keys)) as router:
        for path in ("/admin/reload", "/admin/endpoints/x"):
            assert router.ask(path, method="POST").status == 401
            assert router.ask(path, method="POST", headers={"Authorization": "Bearer sk-app"}).status == 403
        assert router.ask("/admin/reload", method="POST", headers={"Authorization": "Bearer sk-ops"}).status == 200


def test_an_endpoint_is_drained_and_comes_back(router: Router) -> None:
    gauges = router.ask("/metrics").body.decode().splitlines()
    [name] = [line.split('"')[1] for line in gauges if line.startswith('llm_router_breaker_state{endpoint="one@')]
    assert router.chat().headers["x-router-model"] == "one"
    assert router.ask(f"/admin/endpoints/{name}", {"drained": True}).json() == {"endpoint": name, "drained": True}
    assert router.chat().headers["x-router-model"] == "two"
    assert f"endpoint {name} is drained" in router.ask("/readyz").json()["troubles"]
    assert router.ask(f"/admin/endpoints/{name}", {"drained": False}).status == 200
    assert router.chat().headers["x-router-model"] == "one"
    assert router.ask("/admin/endpoints/nobody", {"drained": True}).json()["error"]["code"] == "unknown_endpoint"
    assert router.ask(f"/admin/endpoints/{name}", b"{}").status == 400


def test_every_problem_of_a_file_is_told_in_one_go(backend: Upstream, tmp_path: Path) -> None:
    text = config(backend.url, "one").replace("policy:", "explore: 0.1, policy:")
    text = text.replace("price:", "api_key: '${NOT_SET_ANYWHERE}', price:")
    with pytest.raises(RuntimeError) as refused, serving(tmp_path, text):
        pass
    assert "NOT_SET_ANYWHERE" in str(refused.value)
    assert "not available yet: routes.auto.explore" in str(refused.value)
    assert f"ended with {os.EX_CONFIG}" in str(refused.value)


def test_what_the_store_warns_of_is_a_line_of_the_log(router: Router) -> None:
    assert router.chat().status == 200
    router.database.rename(router.folder / "moved.db")
    eventually(lambda: router.chat().status == 200 and '"event":"warning","module":"writer"' in router.log())
    assert '"message":"records wait in' in router.log()


def test_a_reload_that_fails_for_another_reason_is_said_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a table of descriptors that is full when the file is read."""
    monkeypatch.setattr(reload, "LOOK_S", 0.01)
    path = tmp_path / "router.yaml"
    path.write_text(config("http://127.0.0.1:1/v1", "one"))
    old = load(path)
    reads: list[int] = []
    swapped: list[Config] = []
    crashed: list[Exception] = []

    def read() -> Loaded:
        reads.append(1)
        if len(reads) == 1:
            raise OSError(24, "Too many open files")
        return Loaded(load(path), {})

    async def run() -> None:
        log, metrics = Log("json", lambda text: None), Metrics()
        reloads = Reloads(
            Source(path, read), lambda: old, lambda new: swapped.append(new.config), metrics, log, int, crashed.append
        )
        task = asyncio.create_task(reloads.watch())
        await asyncio.sleep(0.1)
        path.write_text(config("http://127.0.0.1:1/v1", "one", "two"))
        while not crashed:  # noqa: ASYNC110 - it happens in a task without an event
            await asyncio.sleep(0.01)
        assert "OSError" in str(reloads.trouble)
        while not swapped:  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.01)
        assert reloads.trouble is None
        task.cancel()

    asyncio.run(asyncio.wait_for(run(), 20))
    assert [model.name for model in swapped[0].models] == ["one", "two"]
    assert (len(crashed), len(reads)) == (1, 2)
