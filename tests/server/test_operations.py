"""What operators and dashboards read: models, decisions without answers, health, metrics, the page."""

from collections.abc import Iterator

import pytest

from tests.serving.router import Router, config, serving
from tests.serving.upstream import Upstream, sends, upstream, whole


@pytest.fixture(scope="module")
def backend() -> Iterator[Upstream]:
    with upstream() as server:
        yield server


@pytest.fixture(scope="module")
def router(backend: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    with serving(tmp_path_factory.mktemp("operations"), config(backend.url, "one", "two")) as running:
        yield running


def metric(router: Router, name: str, **labels: str) -> float:
    """The sum of the series with these labels."""
    lines = router.ask("/metrics").body.decode().splitlines()
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in lines
        if line.startswith((f"llm_router_{name}{{", f"llm_router_{name} ")) and all(one in line for one in wanted)
    )


def test_models_lists_routes_and_models(router: Router) -> None:
    listed = router.ask("/v1/models").json()
    assert listed["object"] == "list"
    assert [m["id"] for m in listed["data"]] == ["auto", "one", "two"]
    assert router.ask("/v1/models/auto").json()["models"] == ["one", "two"]
    assert router.ask("/v1/models/two").json()["tier"] == "medium"


def test_route_gives_the_decision_that_serving_makes_and_sends_nothing(router: Router, backend: Upstream) -> None:
    body = {"model": "auto", "messages": [{"role": "user", "content": "Prove that there are infinitely many primes."}]}
    seen = len(backend.requests)
    decided = router.ask("/v1/route", body).json()
    assert len(backend.requests) == seen
    served = router.ask("/v1/chat/completions", body, headers={"x-router-explain": "true"}).json()["router"]
    same = {"route", "reason", "rule", "policy", "chosen", "chain", "signals", "rejections", "counterfactuals"}
    assert {k: decided[k] for k in same} == {k: served[k] for k in same}
    assert decided["why"]


def test_livez_and_readyz(router: Router) -> None:
    assert router.ask("/livez").json() == {"status": "alive"}
    assert router.ask("/readyz").json() == {"status": "ready", "troubles": []}


def test_metrics_count_what_happened(router: Router, backend: Upstream) -> None:
    before = metric(router, "requests_total", model="one", status="200")
    spent = metric(router, "cost_usd_total", model="two")
    router.chat("one")
    router.chat("two")
    router.chat("nobody")
    assert metric(router, "requests_total", model="one", status="200") == before + 1
    assert metric(router, "cost_usd_total", model="two") == pytest.approx(spent + 120e-6)
    assert metric(router, "requests_total", route="other", status="404") == 1
    assert metric(router, "tokens_total", model="two", kind="output") > 0
    assert metric(router, "baseline_cost_usd_total", route="auto") > 0
    assert metric(router, "complexity_count") >= 2
    assert metric(router, "inflight", model="one") == 0


def test_fallbacks_are_counted_with_their_cause(router: Router, backend: Upstream) -> None:
    backend.behaviours["one"] = sends(whole({"error": {"message": "boom"}}, 500))
    assert router.chat().headers["x-router-model"] == "two"
    del backend.behaviours["one"]
    assert metric(router, "fallbacks_total", **{"from": "one", "to": "two", "cause": "status"}) == 1
    assert metric(router, "attempts_total", model="one", outcome="status") == 1


def test_clients_cannot_make_new_series(router: Router) -> None:
    def series() -> int:
        return len([x for x in router.ask("/metrics").body.splitlines() if not x.startswith(b"#")])

    router.chat("x0")
    before = series()
    for number in range(30):
        router.chat(f"x{number}", headers={"x-router-user": f"u{number}", "x-router-tags": f"a=b{number}"})
        router.chat("one", headers={"x-router-user": f"u{number}", "x-router-session": f"s{number}"})
    assert series() <= before + 12  # the first answer of a model adds its own


def test_the_log_has_one_line_an_answer_and_no_text(router: Router) -> None:
    name = router.chat(text="a secret canary phrase").headers["x-router-decision-id"]
    router.ask("/metrics")  # flushes
    lines = [line for line in router.log().splitlines() if name in line]
    assert len(lines) == 1
    assert "canary" not in router.log()
    assert "Hello there" not in router.log()


def test_the_page_shows_the_figures(router: Router) -> None:
    router.chat("two")
    for path in ("/dashboard", "/dashboard?window=1h", "/dashboard?window=nonsense"):
        page = router.ask(path)
        assert page.status == 200
        assert page.headers["content-type"].startswith("text/html")
        assert b"always-strongest" in page.body
        assert b">two</td>" in page.body or b"two" in page.body
    assert router.ask("/").headers["location"].endswith("/dashboard")


def test_a_rate_limit_of_every_model_is_a_429_for_those_who_come_next(
    backend: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> None:
    limited = sends(whole({"error": {"message": "slow down"}}, 429, "Retry-After: 20\r\n"))
    backend.behaviours["only"] = limited
    with serving(tmp_path_factory.mktemp("limited"), config(backend.url, "only")) as router:
        first, second = router.chat(), router.chat()
        assert (first.status, second.status) == (429, 429)
        assert second.json()["error"]["code"] == "rate_limit_exceeded"
        assert 1 <= int(second.headers["retry-after"]) <= 20
        assert len(backend.asked("only")) == 1, "an upstream that asked for rest is left alone"


def test_a_prompt_that_seems_too_long_everywhere_is_judged_by_the_widest_model(
    backend: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = config(backend.url, "small", "wide").replace("context: 32768", "context: 100", 1)
    text = text.replace("context: 32768", "context: 200")
    too_long = {
        "error": {"message": "This model's maximum context length is 200 tokens.", "code": "context_length_exceeded"}
    }
    backend.behaviours["wide"] = sends(whole(too_long, 400))
    with serving(tmp_path_factory.mktemp("window"), text) as router:
        answer = router.chat(text="word " * 2000)
        assert answer.status == 400
        assert answer.json()["error"]["code"] == "context_length_exceeded"
        assert not backend.asked("small")
