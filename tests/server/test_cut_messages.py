"""Message streams that break after their content has begun, and are gone on with by another model."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.test_cut_streams import TEXT, TOKENS, claude, cut, mixed, rows, stream
from tests.serving.messages import built, named_events
from tests.serving.router import Answer, Router, serving
from tests.serving.upstream import Upstream, sends, upstream

USAGE = {"prompt_tokens": 50, "completion_tokens": 20, "total_tokens": 70}


@pytest.fixture
def backend() -> Iterator[Upstream]:
    behaviours = {
        "claude": sends(claude(TOKENS[:40], whole=False), then="reset"),
        "one": sends(cut(TOKENS[:40]), then="reset"),
        "two": sends(stream(TOKENS[40:], USAGE)),
        "claude-two": sends(claude(TOKENS[40:], whole=True)),
    }
    with upstream(**behaviours) as server:
        yield server


def ask(router: Router, **fields: Any) -> Answer:
    body = {"model": "auto", "max_tokens": 900, "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
    return router.ask("/v1/messages", body | fields)


@pytest.mark.parametrize(
    ("first", "second"),
    [("claude", "two"), ("one", "claude-two"), ("claude", "claude-two"), ("one", "two")],
    ids=lambda name: name,
)
def test_a_message_is_continued_across_dialects(backend: Upstream, tmp_path: Path, first: str, second: str) -> None:
    with serving(tmp_path, mixed(backend.url, first, second)) as router:
        answer = ask(router, system=[{"type": "text", "text": "Be short."}])
        got = built(named_events(answer.body))
        tried = [row["model"] for row in rows(router, answer.headers["x-router-decision-id"], "attempts")]
    assert tried == [first, second]
    assert got["content"] == [{"type": "text", "text": TEXT}]
    assert (got["model"], got["stop_reason"]) == (first, "end_turn")
    assert got["usage"]["output_tokens"] >= 20 + 10
    [asked] = backend.asked(second)
    last = asked.body["messages"][-1]
    assert last["role"] == "assistant"
    said = last["content"] if isinstance(last["content"], str) else last["content"][0]["text"]
    assert said == "".join(TOKENS[:40]).rstrip()


def test_reasoning_that_was_asked_for_does_not_keep_an_answer_from_being_continued(
    backend: Upstream, tmp_path: Path
) -> None:
    """A model that thinks takes no beginning of its answer: it is asked without."""
    with serving(tmp_path, mixed(backend.url, "claude", "claude-two")) as router:
        answer = ask(router, thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=3000)
        built(named_events(answer.body))
    [one] = backend.asked("claude")
    [two] = backend.asked("claude-two")
    assert (one.body["thinking"]["type"], two.body["thinking"]["type"]) == ("enabled", "disabled")


def test_a_rest_that_a_model_refuses_to_write_ends_with_an_error(backend: Upstream, tmp_path: Path) -> None:
    backend.behaviours["two"] = sends(b"HTTP/1.1 400 X\r\nContent-Length: 2\r\n\r\n{}")
    with serving(tmp_path, mixed(backend.url, "claude", "two")) as router:
        last = named_events(ask(router).body)[-1]
    assert (last["type"], last["error"]["type"]) == ("error", "api_error"), "the client's request was good"
    assert set(last) == {"type", "error", "request_id"}
