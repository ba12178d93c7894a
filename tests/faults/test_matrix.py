"""Every fault, in each dialect of clients and of upstreams, streamed and whole, with another model to fall back to and
without.

What the client sees and what is recorded stand in one table; at the end of each router's life its books are balanced.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.serving.router import Answer, Router, serving
from tests.support.conserved import MIB, assert_conserved, assert_given_back, eventually, held, tries
from tests.support.faults.scenarios import SCENARIOS, TEXT
from tests.support.faults.server import PROMPTS, FaultServer, running
from tests.support.spoken import is_whole, problem, said, wished

# Where these turn up, a prompt or a key has leaked: no other text holds them.
PROMPT = "Where is the canary-prompt-5f1c?"
KEY = "sk-canary-key-9d27"
UNAVAILABLE = frozenset({"upstream_unavailable"})
BROKEN = frozenset({"upstream_unavailable", "upstream_truncated", "upstream_malformed"})


@dataclass(frozen=True)
class Row:
    """`outcome`: of the first try. `alone`: status without a fallback, 200 where the model itself answers in the end.
    `passed`: another model is not asked. `breaks`: a stream has begun by then, and ends with an error. `tries`: how
    often the model is asked at most."""

    outcome: str | tuple[str, ...] = "ok"
    alone: int = 200
    code: frozenset[str] = UNAVAILABLE
    passed: bool = False
    breaks: bool = False
    tries: int = 3
    own: bool = False


OWN = Row(own=True, tries=1)
TWICE = Row(own=True, tries=2)
SILENT = Row("timeout.first_token", 502, tries=1)
DOWN = Row("status", 503)
CUT = Row(("reset", "truncated"), 502, BROKEN)
MALFORMED = Row("malformed", 502, frozenset({"upstream_malformed"}))
AUTH = Row("auth", 502, frozenset({"upstream_auth"}), tries=1)
LIMITED = Row("rate_limited", 429, frozenset({"rate_limit_exceeded", "rate_limit_error"}), tries=1)


def broken(outcome: str | tuple[str, ...]) -> Row:
    return Row(outcome, 502, BROKEN, breaks=True)


def refused(status: int, code: str = "") -> Row:
    return Row("status", status, frozenset({code}) if code else frozenset(), passed=True, tries=1)


MATRIX = {
    **dict.fromkeys(["ok", "no-usage", "crlf", "no-space", "comments", "id-and-retry", "bom", "bytewise"], OWN),
    **dict.fromkeys(["multi-line", "one-malformed", "no-done"], OWN),
    **dict.fromkeys(["error-500", "error-502", "error-503", "error-529", "quoting-500"], DOWN),
    "error-500-once": Row("status", 200, tries=2),
    "rate-limit-2s-once": Row("rate_limited", own=True, tries=2),
    "rate-limit-ms-once": Row("rate_limited", own=True, tries=2),
    "rate-limit-date-once": Row("rate_limited", own=True, tries=2),
    "unavailable-1s-once": Row("status", own=True, tries=2),
    **dict.fromkeys(["rate-limit", "rate-limit-long", "rate-limit-garbage"], LIMITED),
    **dict.fromkeys(["bad-request", "quoting-400"], refused(400)),
    "too-large": refused(413),
    "unprocessable": refused(422),
    "content-filter": refused(400),
    "context": Row("status", 400, frozenset({"context_length_exceeded"}), tries=1),
    **dict.fromkeys(["unauthorized", "forbidden"], AUTH),
    **dict.fromkeys(["silent", "silent-after-head", "role-then-silent"], SILENT),
    **dict.fromkeys(["closed", "reset"], Row("reset", 502)),
    **dict.fromkeys(["garbage", "huge-head"], MALFORMED),
    "cut-before-content": CUT,
    **dict.fromkeys(["cut", "cut-cleanly", "reset-in-the-middle"], broken(("truncated", "reset"))),
    "stall": broken(("timeout.idle", "timeout.first_token")),
    "drip": broken(("timeout.total", "timeout.first_token")),
    "error-in-stream": Row("status", 503),
    "error-after-content": Row("status", 503, BROKEN, breaks=True),
    **dict.fromkeys(["invalid-utf8", "long-line", "endless", "bomb", "html", "empty"], MALFORMED),
    "redirect": Row("status", 502, tries=1),
}
ELSEWHERE = {"fb-ok", "flapping"}
# Those in which time passes and nobody works: all of them are asked at once, so that they wait beside each other.
WAITING = [
    *("silent", "silent-after-head", "role-then-silent", "stall", "drip"),
    *("rate-limit-2s-once", "rate-limit-ms-once", "rate-limit-date-once", "unavailable-1s-once"),
]
INPUT = 100  # tokens, as every scenario reports them
SKIPPED = {"one-malformed", "invalid-utf8"}  # streams with events that cannot be read

BREAKING = [name for name, row in MATRIX.items() if row.breaks]


def mode(stream: bool, fallback: bool) -> str:
    return f"{'stream' if stream else 'whole'}-{'f' if fallback else 'n'}"


MODES = [(stream, fallback) for stream in (False, True) for fallback in (False, True)]


def configuration(backend: str, url: str) -> str:
    common = (
        f"backend: {backend}, endpoints: [{{url: '{url}'}}], tier: small, location: local, "
        "price: {input: 1, output: 2}, health: none, breaker: none, "
        "timeouts: {connect: 1s, first_token: 1s, idle: 1s, total: 4s}"
    )
    common += f", api_key: {KEY}"
    models, routes = [f"  - {{name: fb-ok, context: 128000, {common}}}"], []
    for name in MATRIX:
        for stream, fallback in MODES:
            model = f"{name}@{mode(stream, fallback)}"
            models.append(f"  - {{name: '{model}', upstream_model: '{model}', context: 32768, {common}}}")
            chain = f"'{model}', fb-ok" if fallback else f"'{model}'"
            routes.append(f"  'r-{model}': {{models: [{chain}], policy: {{kind: fixed}}, retry: {{budget: 1}}}}")
    for name in BREAKING:
        model = f"{name}@continued"
        models.append(f"  - {{name: '{model}', upstream_model: '{model}', context: 32768, {common}}}")
        rest = "policy: {kind: fixed}, on_cut_stream: continue, retry: {budget: 1}"
        routes.append(f"  'c-{name}': {{models: ['{model}', fb-ok], {rest}}}")
    return "models:\n" + "\n".join(models) + "\nroutes:\n" + "\n".join(routes) + "\n"


@dataclass
class World:
    router: Router
    server: FaultServer
    speaks: str  # the client's dialect
    backend: str  # the upstream's
    told: list[Answer] = field(default_factory=list)
    waited: dict[str, Answer] = field(default_factory=dict)  # by route
    at_once: int = 1

    def metrics(self) -> str:
        return self.router.ask("/metrics").body.decode()

    def leaks(self) -> list[str]:
        """Where a prompt or a key was found that nobody may read there."""
        places = {"log": self.router.log().encode(), "metrics": self.router.ask("/metrics").body}
        places |= {path.name: path.read_bytes() for path in self.router.folder.glob("router.db*")}
        found = [name for name, data in places.items() if b"canary" in data]
        return found + [str(one) for one in self.told if KEY in f"{one.headers} {one.body!r}"]

    def wait(self) -> None:
        """Asks whatever waits, all of it at once."""
        mine = [modes for one, *modes in CASES if one == (self.speaks, self.backend)]
        cells = [(f"r-{name}@{mode(*modes)}", modes[0]) for name in WAITING for modes in mine]
        cells += [(f"c-{name}", True) for name in WAITING if name in BREAKING]
        self.at_once = len(cells)
        with ThreadPoolExecutor(len(cells)) as many:
            answers = many.map(lambda cell: self.ask(*cell), cells)
            self.waited = {route: answer for (route, _), answer in zip(cells, answers, strict=True)}

    def ask(self, route: str, stream: bool) -> Answer:
        if route in self.waited:
            return self.waited[route]
        path, wish = wished(self.speaks, PROMPT, 1)
        answer = self.router.ask(path, {"model": route, "stream": stream, **wish})
        self.told.append(answer)
        return answer


WORLDS = [
    ("chat", "openai_compatible"),
    ("chat", "anthropic"),
    ("messages", "openai_compatible"),
    ("messages", "anthropic"),
    ("responses", "openai_compatible"),
    ("responses", "anthropic"),
    ("responses", "openai"),
    ("completions", "openai_compatible"),
    ("completions", "anthropic"),
]
# What is passed on as it came takes a way of its own.
RELAYED = {
    ("messages", "anthropic"): "messages",
    ("responses", "openai"): "input",
    ("completions", "openai_compatible"): "prompt",
}  # and the field of what is asked


# Falling back happens below a dialect that is translated: one of them shows it.
CASES = [(one, *modes) for one in WORLDS for modes in MODES if one[0] == "chat" or one in RELAYED or not modes[1]]


@pytest.fixture(scope="module")
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    speaks, backend = request.param
    with running() as server, serving(tmp_path_factory.mktemp("matrix"), configuration(backend, server.url)) as router:
        made = World(router, server, speaks, backend)
        before = held(router, server.port)
        made.wait()
        yield made
        seen = sum(server.requests.values())
        assert_conserved(router.database, made.metrics, admitted=len(made.told), seen=seen)
        # Several answers are as large as one may be.
        assert_given_back(router, before, at_once=made.at_once, grown=64 * MIB)
        eventually(lambda: server.running == 0, "the upstream still answers")
        # One that goes on for another is asked in chat.
        asked = {field for name, one in server.bodies.items() if "@" in name for field in PROMPTS if field in one}
        assert asked == {RELAYED.get((speaks, backend), "messages")}
        assert KEY in server.credentials, "or the canary never was where it could leak from"
        assert made.leaks() == []
        assert router.stop() == 0


WORDS = {400: "invalid_request_error", 413: "request_too_large", 422: "invalid_request_error", 429: "rate_limit_error"}


def is_as(row: Row, error: dict[str, Any], status: int) -> bool:
    """The error is that of the row. Anthropic's has no code; its type follows the status."""
    if "code" in error:
        return not row.code or error["code"] in row.code
    return bool(error["type"] == WORDS.get(status, "overloaded_error" if status == 503 else "api_error"))


@pytest.mark.parametrize("name", MATRIX)
@pytest.mark.parametrize(
    ("world", "stream", "fallback"),
    CASES,
    indirect=["world"],
    ids=[f"{'-to-'.join(one)}-{mode(*modes)}" for one, *modes in CASES],
    scope="module",
)
def test_what_the_client_sees_and_what_is_recorded(world: World, name: str, stream: bool, fallback: bool) -> None:
    row, model = MATRIX[name], f"{name}@{mode(stream, fallback)}"
    answer = world.ask(f"r-{model}", stream)
    text = "Grüße 日本語 🙂 end" if name == "bytewise" else TEXT
    made = tries(world.router, answer.headers["x-router-decision-id"])
    outcomes = row.outcome if isinstance(row.outcome, tuple) else (row.outcome,)
    assert made[0]["outcome"] in outcomes
    assert 1 <= world.server.requests[model] <= row.tries
    assert ("malformed event" in made[0]["detail"]) == (stream and name in SKIPPED)
    if row.breaks and stream:
        assert answer.status == 200
        assert name == "drip" or text.startswith(said(answer))
        error = problem(answer)
        assert error is not None
        assert row.code
        assert is_as(row, error, 503 if "overloaded" in str(error["type"]) else 502)
        assert len(made) == 1
        assert made[0]["usage_source"] == "estimated"
        assert (made[0]["input_tokens"] == INPUT) == (world.backend == "anthropic"), "it says so at the beginning"
        return
    if row.own or (row.alone == 200 and not fallback):
        assert answer.headers["x-router-model"] == model
    elif fallback and not row.passed:
        assert answer.headers["x-router-model"] == "fb-ok"
        assert answer.headers["x-router-reason"].startswith("fallback:")
    else:
        error = problem(answer)
        assert answer.status == row.alone
        assert error is not None
        assert is_as(row, error, row.alone)
        assert row.alone < 500 or answer.headers["x-should-retry"] == "false"
        assert row.alone != 429 or int(answer.headers["retry-after"]) >= 1
        assert row.tries > 1 or len(made) == 1
        return
    assert answer.status == 200
    assert said(answer).split() == (text if answer.headers["x-router-model"] == model else TEXT).split()
    assert is_whole(answer, stream)
    assert made[-1]["outcome"] == "ok"
    assert made[-1]["usage_source"] == ("estimated" if name == "no-usage" else "reported")


@pytest.mark.parametrize("name", BREAKING)
@pytest.mark.parametrize("world", WORLDS, indirect=True, ids="-to-".join, scope="module")
def test_a_stream_that_breaks_is_finished_or_ends_with_an_error(world: World, name: str) -> None:
    """Never anything else, whichever dialects are spoken on either side."""
    answer = world.ask(f"c-{name}", True)
    made = tries(world.router, answer.headers["x-router-decision-id"])
    assert answer.status == 200
    if made[0]["outcome"].startswith("timeout.total"):
        assert problem(answer) is not None, "the time that is over is the request's"
        return
    assert (made[0]["model"], made[-1]["model"], made[-1]["outcome"]) == (f"{name}@continued", "fb-ok", "ok")
    assert ["goes on for another" in one["detail"] for one in made] == [False, True]
    assert said(answer).split() == TEXT.split()
    assert is_whole(answer, True)


def test_every_scenario_is_a_row() -> None:
    assert set(MATRIX) | ELSEWHERE == set(SCENARIOS)


REST = "tier: small, location: local, context: 4096, health: none, breaker: none"


def small(server: FaultServer, first: str, url: str, *chain: str) -> str:
    return (
        f"models:\n  - {{name: {first}, backend: openai_compatible, endpoints: [{{url: '{url}'}}], {REST}}}\n"
        f"  - {{name: fb-ok, backend: openai_compatible, endpoints: [{{url: '{server.url}'}}], {REST}}}\n"
        f"routes:\n  auto: {{models: [{', '.join(chain)}], policy: {{kind: fixed}}, retry: {{budget: 1}}}}\n"
    )


@pytest.mark.parametrize("fallback", [False, True])
def test_a_whole_answer_that_never_ends_meets_the_total_limit(tmp_path: Path, fallback: bool) -> None:
    chain = ("drip", "fb-ok") if fallback else ("drip",)
    with running() as server:
        text = small(server, "drip", server.url, *chain).replace(
            "health: none", "health: none, timeouts: {first_token: 20s, total: 2s}"
        )
        with serving(tmp_path, text) as router:
            answer = router.chat()
            made = tries(router, answer.headers["x-router-decision-id"])
            assert [one["outcome"] for one in made] == ["timeout.total"]
            assert answer.status == 502, "no time is left for another model"
            assert made[0]["total_ms"] > 1900


def test_a_flapping_upstream_is_served_throughout(tmp_path: Path) -> None:
    with running() as server, serving(tmp_path, small(server, "flapping", server.url, "flapping", "fb-ok")) as router:
        got = [router.chat() for _ in range(60)]
    assert {one.status for one in got} == {200}
    assert {one.headers["x-router-model"] for one in got} == {"flapping", "fb-ok"}
