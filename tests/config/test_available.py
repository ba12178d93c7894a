from pathlib import Path

import pytest

from llm_inference_router.config.available import not_available
from llm_inference_router.config.load import inspect
from llm_inference_router.config.parse import parse

EXAMPLES = Path(__file__).parents[2] / "examples"
BASE = """\
models:
  - {name: small, backend: simulated, tier: small, location: local, context: 8000MORE}
routes:
  auto: {models: [small]ROUTE}
"""


def _notes(text: str) -> list[str]:
    findings = parse(text, environ={}, read_file=str, name="router.yaml")
    assert findings.config is not None, findings.problems
    lines = not_available(findings.config)
    assert list(findings.notes) == lines
    return [line.removeprefix("not available yet: ").split(": ")[0] for line in lines]


def _base(more: str = "", route: str = "", rest: str = "") -> str:
    return BASE.replace("MORE", more).replace("ROUTE", route) + rest


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (_base(rest="budgets: [{name: b, limit: 1, per: day}]\n"), "budgets"),
        (
            _base(rest="experiments: [{name: e, route: auto, share: 0.1, arms: {a: {}, b: {}}}]\n"),
            "experiments",
        ),
        (_base(rest="privacy: {detect: [email]}\n"), "privacy"),
        (_base(rest="privacy: {redact_for_cloud: true}\n"), "privacy"),
        (_base(rest="privacy: {levels: {sensitive: {location: local}}}\n"), "privacy"),
        (
            _base(route=", policy: {kind: cheapest_above_bar, guarantee: {risk: 0.1}}"),
            "routes.auto.policy.guarantee",
        ),
        (_base(route=", explore: 0.01"), "routes.auto.explore"),
        (_base(route=", session: {stickiness: always}"), "routes.auto.session"),
        (_base(more=", limits: {concurrent: 4}"), "models.small.limits"),
        (_base(rest="server: {workers: 2}\n"), "server.workers"),
        (_base(rest="store: {url: postgresql://db/router}\n"), "store.url"),
        (_base(rest="telemetry: {traces: http://collector:4318}\n"), "telemetry.traces"),
    ],
)
def test_each_real_use_is_one_line(text: str, key: str) -> None:
    assert _notes(text) == [key]


@pytest.mark.parametrize(
    "text",
    [
        _base(),
        _base(rest="budgets: []\nexperiments: []\nprivacy: {}\n"),
        _base(rest="privacy: {detect: [], unreadable: sensitive, levels: {}, redact_for_cloud: false}\n"),
        _base(rest='server: {workers: 1}\ntelemetry: {traces: ""}\nstore: {url: sqlite:///a.db}\n'),
        _base(route=", explore: 0, predictor: default, session: {stickiness: none}, retry: {hedge: 200ms}"),
        _base(
            route=", on_cut_stream: error, content: true",
            more=", limits: {}, health: {path: /up}, breaker: none",
        ),
    ],
)
def test_a_default_that_is_written_out_is_no_use(text: str) -> None:
    assert _notes(text) == []


def test_the_example_names_what_it_needs_and_the_minimal_file_needs_nothing() -> None:
    assert len(inspect(EXAMPLES / "router.example.yaml").notes) == 7
    assert inspect(EXAMPLES / "router.minimal.yaml").notes == ()
