"""Health probes against what real servers were recorded to answer them."""

from pathlib import Path

from tests.server.test_breakers import REST, eventually
from tests.serving.router import Router, serving
from tests.serving.upstream import upstream
from tests.traces.read import Trace, traces

PAGES = (*traces("/health", method="GET"), *traces("/v1/models", method="GET"))
# Its list of models was an error, though it answered requests: who serves it names its /health.
ILL = "transformers-serve/00-models"


def raw(exchange: Trace) -> bytes:
    kind = exchange.headers.get("content-type")
    fields = f"Content-Length: {len(exchange.body)}\r\n" + (f"Content-Type: {kind}\r\n" if kind else "")
    return f"HTTP/1.1 {exchange.status} X\r\n{fields}\r\n".encode() + exchange.body


def troubles(router: Router) -> list[str]:
    found: list[str] = router.ask("/readyz").json()["troubles"]
    return found


def test_any_recorded_answer_but_an_error_of_the_server_is_a_sign_of_life(tmp_path: Path) -> None:
    assert {one.server for one in PAGES} == {"vllm", "llama-cpp-python", "transformers-serve", "aimock"}
    with upstream() as server:
        server.pages = {f"/{one.id}": raw(one) for one in PAGES}
        models = "".join(
            f"  - {{name: {one.id}, backend: openai_compatible, endpoints: [{{url: '{server.url}'}}], {REST}, "
            f"health: {{path: /{one.id}, every: 1s}}, breaker: {{open: 60s}}}}\n"
            for one in PAGES
        )
        routes = f"routes:\n  auto: {{models: [{', '.join(one.id for one in PAGES)}]}}\n"
        with serving(tmp_path, f"models:\n{models}{routes}") as router:
            # Twice each, so that every first answer has had its verdict.
            eventually(lambda: all(server.asked_pages.count(f"/{one.id}") >= 2 for one in PAGES))
            assert troubles(router) == [f"model {ILL} has no endpoint that answers"]
