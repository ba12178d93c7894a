"""The whole of `init` against HTTP servers of this process that answer as each kind of server does."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

from llm_inference_router.cli import discover
from llm_inference_router.cli.init import command
from llm_inference_router.config.load import inspect, load
from llm_inference_router.config.starter import LocalModel, LocalServer
from tests.traces.read import Trace, everything, trace, traces

# The recorded lists of servers, and what is found by each: nothing by that of transformers serve, which was an error.
LISTS = traces("/v1/models", method="GET")
FOUND = {
    "aimock": LocalServer(
        "An OpenAI-compatible server",
        "openai_compatible",
        "",
        tuple(LocalModel(name) for name in ("gpt-4", "gpt-4o", "claude-3-5-sonnet-20241022", "gemini-2.0-flash")),
    ),
    "llama-cpp-python": LocalServer("An OpenAI-compatible server", "openai_compatible", "", (LocalModel("tiny"),)),
    "transformers-serve": None,
    "vllm": LocalServer("vLLM", "vllm", "", (LocalModel("tiny", 1024),)),
}
# What each kind of server answers, as far as it is asked.
VLLM = {"/v1/models": json.loads(trace("vllm/00-models").body)}
LLAMACPP = {
    "/v1/models": {
        "object": "list",
        "models": [{"name": "/models/qwen2.5-7b.gguf"}],
        "data": [{"id": "/models/qwen2.5-7b.gguf", "owned_by": "llamacpp", "meta": {"n_ctx_train": 32768}}],
    },
    "/props": {"default_generation_settings": {"n_ctx": 8192}},
    "/api/tags": {"models": [{"name": "/models/qwen2.5-7b.gguf"}]},
}
TGI = {
    "/info": {
        "model_id": "meta-llama/Llama-3-8B",
        "max_total_tokens": 8192,
        "router": "text-generation-router",
    },
    "/v1/models": {
        "object": "list",
        "data": [{"id": "meta-llama/Llama-3-8B", "owned_by": "meta-llama/Llama-3-8B"}],
    },
}
OLLAMA = {
    "/api/tags": {
        "models": [
            {"name": "llama3:latest", "details": {"parameter_size": "8.0B"}},
            {"name": "nomic-embed-text:latest", "details": {"parameter_size": "137M"}},
        ]
    },
    "/v1/models": {"object": "list", "data": [{"id": "llama3:latest", "owned_by": "library"}]},
}
STUDIO = {
    "/v1/models": {"object": "list", "data": [{"id": "qwen2.5-32b", "owned_by": "organization_owner"}]},
    "/api/v0/models": {
        "data": [
            {"id": "qwen2.5-32b", "type": "llm", "max_context_length": 32768, "loaded_context_length": 16384},
            {"id": "text-embedding-nomic", "type": "embeddings", "max_context_length": 2048},
        ]
    },
    "/api/tags": {"error": "Unexpected endpoint or method. (GET /api/tags)"},
}
COMPATIBLE = {"/v1/models": {"object": "list", "data": [{"id": "mystery", "object": "model"}]}}

KINDS = [
    (VLLM, "vllm", "tiny", 1024, "vLLM"),
    (LLAMACPP, "llamacpp", "/models/qwen2.5-7b.gguf", 8192, "llama.cpp"),
    (TGI, "tgi", "meta-llama/Llama-3-8B", 8192, "TGI"),
    (OLLAMA, "ollama", "llama3:latest", 4096, "Ollama"),
    (STUDIO, "openai_compatible", "qwen2.5-32b", 16384, "LM Studio"),
    (COMPATIBLE, "openai_compatible", "mystery", 4096, "An OpenAI-compatible server"),
]


@contextmanager
def _server(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[int]:
    class Scripted(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's own name
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # the client leaves early on purpose

    with Quiet(("127.0.0.1", 0), Scripted) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def _json(answers: dict[str, Any]) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(request: BaseHTTPRequestHandler) -> None:
        body = json.dumps(answers.get(request.path, {"detail": "Not Found"})).encode()
        request.send_response(200 if request.path in answers else 404)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


def _replayed(server: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """A server's recorded answers to GET, and to every other path its recorded answer to one that it does not know."""
    pages = {one.path: one for one in everything() if one.server == server and one.method == "GET"}

    def answer(request: BaseHTTPRequestHandler) -> None:
        found = pages.get(request.path) or trace(f"{server}/59-err_path")
        request.send_response(found.status)
        if "content-type" in found.headers:
            request.send_header("Content-Type", found.headers["content-type"])
        request.send_header("Content-Length", str(len(found.body)))
        request.end_headers()
        request.wfile.write(found.body)

    return answer


def _raw(data: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(data)

    return answer


@pytest.fixture(autouse=True)
def _bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with nothing: an empty folder, no keys, no servers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(discover, "PORTS", ())
    monkeypatch.setattr(discover, "_SILENCE_S", 20.0)  # patience, so that a busy machine fails no test
    monkeypatch.setattr(discover, "_DEADLINE_S", 40.0)
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def test_with_nothing_found_the_file_has_simulated_models_and_loads() -> None:
    result = _run()
    assert result.exit_code == 0, result.output
    assert "the models in the file are simulated" in result.output
    config = load("router.yaml")
    assert {model.backend for model in config.models} == {"simulated"}
    assert [model.tier for model in config.models] == ["small", "medium", "large"]
    assert "simulated" in Path("router.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(("answers", "backend", "upstream", "context", "label"), KINDS)
def test_each_kind_of_server_is_told_by_its_answers(
    answers: dict[str, Any],
    backend: str,
    upstream: str,
    context: int,
    label: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with _server(_json(answers)) as port:
        monkeypatch.setattr(discover, "PORTS", (port,))
        result = _run()
    assert f"found {label} at http://127.0.0.1:{port}/v1: {upstream}" in result.output
    [model] = load("router.yaml").models
    assert model.backend == backend
    assert (model.upstream_model or model.name) == upstream
    assert model.context == context
    assert [endpoint.url for endpoint in model.endpoints] == [f"http://127.0.0.1:{port}/v1"]
    assert (model.location, model.price.input, model.price.output) == ("local", 0, 0)


@pytest.mark.parametrize("exchange", LISTS, ids=[one.id for one in LISTS])
def test_a_recorded_server_is_told_by_what_it_answered(exchange: Trace) -> None:
    with _server(_replayed(exchange.server)) as port:
        found = discover.discover((port,))
    expected = FOUND[exchange.server]
    assert found == (() if expected is None else (replace(expected, url=f"http://127.0.0.1:{port}/v1"),))


def test_several_servers_and_keys_make_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-openai")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret-anthropic")
    with _server(_json(VLLM)) as one, _server(_json(OLLAMA)) as two:
        monkeypatch.setattr(discover, "PORTS", (one, two))
        result = _run()
    findings = inspect("router.yaml")
    assert (findings.problems, findings.warnings, findings.notes) == ((), (), ())
    assert findings.config is not None
    backends = [model.backend for model in findings.config.models]
    assert backends == ["vllm", "ollama", *["openai"] * 3, *["anthropic"] * 3]
    assert len(findings.config.routes["auto"].models) == 8
    written = Path("router.yaml").read_text(encoding="utf-8")
    assert "sk-secret" not in written + result.output
    assert "${OPENAI_API_KEY}" in written


def test_an_empty_key_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", " ")
    assert "the models in the file are simulated" in _run().output


BROKEN = {
    "html": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>a dashboard</html>",
    "garbage": b"\x00\x01\x02",
    "closed": b"",
    "error": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
    "redirect": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    "short": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
    "list": b"HTTP/1.1 200 OK\r\n\r\n[1, 2]",
    "odd": b'HTTP/1.1 200 OK\r\n\r\n{"data": [1, {"id": 7}, {"id": ""}, {"id": "a\\nb"}], "models": {}}',
    "deep": b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 200_000,
    "large": b"HTTP/1.1 200 OK\r\n\r\n" + b'"' + b"x" * 2_000_000 + b'"',
    "not utf-8": b'HTTP/1.1 200 OK\r\n\r\n{"data": "\xff"}',
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_whatever_else_listens_there_is_passed_over(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with _server(_raw(data)) as port, _server(_json(VLLM)) as good:
        monkeypatch.setattr(discover, "PORTS", (port, good))
        result = _run()
    assert result.exit_code == 0, result.output
    assert [model.backend for model in load("router.yaml").models] == ["vllm"]


def test_a_redirect_is_never_followed() -> None:
    asked: list[str] = []

    def target(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        _json(VLLM)(request)

    with _server(target) as inner:
        location = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{inner}/v1/models\r\n\r\n".encode()
        with _server(_raw(location)) as outer:
            assert discover.discover((outer,)) == ()
    assert asked == []


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    with _server(_json(VLLM)) as port:
        assert len(discover.discover((port,))) == 1


def test_silent_and_endless_servers_are_left_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not stop.wait(0.02):
            request.wfile.write(b" ")

    monkeypatch.setattr(discover, "_SILENCE_S", 0.1)
    monkeypatch.setattr(discover, "_DEADLINE_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent, _server(drip) as endless:
        asked: list[tuple[Any, ...]] = []
        thread = threading.Thread(target=lambda: asked.append(discover.discover((silent.getsockname()[1], endless))))
        thread.start()
        thread.join(timeout=30)  # far beyond the deadline: the law is that it ends at all
        stop.set()
        assert asked == [()]


def test_an_existing_file_is_never_overwritten_without_force(tmp_path: Path) -> None:
    Path("router.yaml").write_text("mine", encoding="utf-8")
    result = _run()
    assert result.exit_code == 1
    assert "router.yaml is there already" in result.output
    assert Path("router.yaml").read_text(encoding="utf-8") == "mine"
    assert _run("--force").exit_code == 0
    assert inspect("router.yaml").problems == ()
    assert [path.name for path in tmp_path.iterdir()] == ["router.yaml"]


def test_another_file_can_be_written() -> None:
    result = _run("-o", "other.yaml")
    assert result.exit_code == 0
    assert "llm-router serve -c other.yaml" in result.output
    assert inspect("other.yaml").problems == ()


@pytest.mark.parametrize("arguments", [("-o", "absent/router.yaml"), ("-o", "absent/router.yaml", "--force")])
def test_a_place_that_cannot_be_written_is_said(arguments: tuple[str, ...]) -> None:
    result = _run(*arguments)
    assert result.exit_code == 1
    assert "cannot be written" in result.output


def test_help_has_examples() -> None:
    assert "llm-router init -o prod.yaml" in _run("--help").output


def test_the_usual_ports_are_asked_at_once() -> None:
    began = threading.Barrier(5, timeout=20)

    def wait(request: BaseHTTPRequestHandler) -> None:
        began.wait()
        _json(VLLM)(request)

    with _server(wait) as a, _server(wait) as b, _server(wait) as c, _server(wait) as d, _server(wait) as e:
        assert len(discover.discover((a, b, c, d, e))) == 5
