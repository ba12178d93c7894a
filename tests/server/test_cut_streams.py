"""Streams that break after their content has begun, on routes that let another model write the rest."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.serving.router import Answer, Router, config, events, serving
from tests.serving.upstream import (
    STREAM_HEAD,
    Request,
    Upstream,
    answers,
    chunked,
    delta,
    event,
    fails,
    in_turn,
    sends,
    upstream,
)
from tests.support.responses import checked, sent
from tests.traces.read import trace

TOKENS = [f"word{i} " for i in range(60)]
TEXT = "".join(TOKENS).rstrip()
TOKENS[-1] = TOKENS[-1].rstrip()


def stream(tokens: list[str], usage: dict[str, int] | None = None) -> bytes:
    frames = [event(delta(token)) for token in tokens]
    frames.append(event(delta("", finish="stop")))
    if usage:
        frames.append(event(orjson.dumps({**orjson.loads(delta("")), "choices": [], "usage": usage})))
    return STREAM_HEAD + b"".join(frames) + b"data: [DONE]\n\n"


def cut(tokens: list[str]) -> bytes:
    return STREAM_HEAD + b"".join(event(delta(token)) for token in tokens)


def routed(url: str, *names: str, prefill: bool = False, extra: str = "") -> str:
    text = config(url, *names, extra=extra).replace(
        "policy: {kind: fixed}", "on_cut_stream: continue, retry: {budget: 1}, policy: {kind: fixed}"
    )
    return text.replace("json_schema]", "json_schema, prefill]") if prefill else text


@pytest.fixture(scope="module")
def backend() -> Iterator[Upstream]:
    with upstream() as server:
        yield server


@pytest.fixture(scope="module")
def router(backend: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    with serving(tmp_path_factory.mktemp("cut"), routed(backend.url, "one", "two", "three")) as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(backend: Upstream) -> None:
    backend.behaviours.clear()
    backend.requests.clear()
    backend.behaviours["one"] = sends(cut(TOKENS[:40]), then="reset")


def said(answer: Answer) -> str:
    chunks = [one for one in events(answer) if isinstance(one, dict)]
    return "".join(c["delta"].get("content") or "" for one in chunks for c in one.get("choices", ()))


def error(answer: Answer) -> str | None:
    last = events(answer)[-1]
    return last["error"]["code"] if isinstance(last, dict) and "error" in last else None


def rows(router: Router, name: str, table: str) -> list[sqlite3.Row]:
    """A record is in the database a moment after its answer."""
    end = time.monotonic() + 10
    query = f"SELECT * FROM {table} WHERE decision_id = ?"
    with closing(sqlite3.connect(router.database)) as database:
        database.row_factory = sqlite3.Row
        while not (found := database.execute(query, (name,)).fetchall()) and time.monotonic() < end:
            time.sleep(0.01)
        return found


def test_cut_after_40_of_60_tokens_the_whole_answer_is_delivered(router: Router, backend: Upstream) -> None:
    backend.behaviours["two"] = sends(stream(["word37 word38 ", "word39 ", *TOKENS[40:]]))
    answer = router.chat(stream=True)
    assert said(answer) == TEXT
    chunks = events(answer)
    assert chunks[-1] == "[DONE]"
    assert len({chunk["id"] for chunk in chunks[:-1]}) == 1
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]][-1] == "stop"
    assert sum("role" in chunk["choices"][0]["delta"] for chunk in chunks[:-1]) == 1
    [second] = backend.asked("two")
    *_, part, told = second.body["messages"]
    assert part["role"] == "assistant"
    assert part["content"].startswith("word0 word1 ")
    assert part["content"].rstrip().endswith("word39")
    assert "word39" in told["content"]


def test_a_model_that_takes_a_prefill_writes_on(backend: Upstream, tmp_path: Path) -> None:
    backend.behaviours["two"] = sends(stream([" " + TOKENS[40], *TOKENS[41:]]))
    with serving(tmp_path, routed(backend.url, "one", "two", prefill=True)) as router:
        answer = router.chat(stream=True)
    assert said(answer) == TEXT
    [second] = backend.asked("two")
    assert second.body["messages"][-1] == {"role": "assistant", "content": "".join(TOKENS[:40]).rstrip()}


def test_a_model_that_begins_anew_with_the_same_words_is_used(router: Router, backend: Upstream) -> None:
    backend.behaviours["two"] = sends(stream(TOKENS))
    assert said(router.chat(stream=True)) == TEXT


def test_a_rest_that_does_not_join_ends_with_an_error_and_no_marker(router: Router, backend: Upstream) -> None:
    for name in ("two", "three"):
        backend.behaviours[name] = sends(stream(["Sure, here is the rest ", "of what I was going to say to you."]))
    answer = router.chat(stream=True)
    assert said(answer) == "".join(TOKENS[:40])
    assert error(answer) == "upstream_truncated"


def test_a_stall_is_a_cut(router: Router, backend: Upstream) -> None:
    async def stalls(writer: asyncio.StreamWriter, request: Request) -> None:
        writer.write(cut(TOKENS[:40]))
        await writer.drain()
        await asyncio.sleep(60)

    backend.behaviours["one"] = stalls
    backend.behaviours["two"] = sends(stream(["word39 ", *TOKENS[40:]]))
    assert said(router.chat(stream=True)) == TEXT


def test_a_rest_that_is_cut_itself_is_continued_again(router: Router, backend: Upstream) -> None:
    backend.behaviours["two"] = sends(cut(["word39 ", *TOKENS[40:50]]), then="reset")
    backend.behaviours["three"] = sends(stream(["word49 ", *TOKENS[50:]]))
    answer = router.chat(stream=True)
    assert said(answer) == TEXT
    tries = rows(router, answer.headers["x-router-decision-id"], "attempts")
    assert [(one["model"], one["outcome"]) for one in tries] == [
        ("one", "truncated"),
        ("two", "truncated"),
        ("three", "ok"),
    ]


def test_a_model_that_fails_before_it_says_anything_is_passed_over(router: Router, backend: Upstream) -> None:
    backend.behaviours["two"] = sends(b"HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n")
    backend.behaviours["three"] = sends(stream(["word39 ", *TOKENS[40:]]))
    assert said(router.chat(stream=True)) == TEXT


def test_a_model_that_refuses_to_write_a_rest_is_passed_over(router: Router, backend: Upstream) -> None:
    backend.behaviours["two"] = fails(400)
    backend.behaviours["three"] = sends(stream(["word39 ", *TOKENS[40:]]))
    assert said(router.chat(stream=True)) == TEXT


LATER = {
    "500": fails(500),
    "400": fails(400),
    "429": fails(429),
    "closed": sends(b"", then="close"),
    "garbage": sends(b"nonsense\r\n\r\n", then="close"),
    "a refusal": sends(stream([]).replace(b'"content": ""', b'"refusal": "I will not go on with that."')),
    "nothing": sends(stream([])),
}


@pytest.mark.parametrize("name", LATER)
def test_whatever_happens_after_a_cut_the_stream_ends_honestly(tmp_path: Path, name: str) -> None:
    first = in_turn(sends(cut(TOKENS[:40]), then="reset"), LATER[name])
    with upstream(one=first, two=LATER[name]) as up, serving(tmp_path, routed(up.url, "one", "two")) as router:
        answer = router.chat(stream=True)
        assert answer.status == 200
        assert said(answer) == "".join(TOKENS[:40])
        assert error(answer) == "upstream_truncated"
        assert len(up.asked("two")) >= 1
        [outcome] = rows(router, answer.headers["x-router-decision-id"], "outcomes")
        assert (outcome["status"], outcome["error"]) == (200, "upstream_truncated")


def test_rests_that_do_not_join_are_not_held_against_who_wrote_them(tmp_path: Path) -> None:
    with upstream() as up:
        settings = routed(up.url, "one", "two").replace(
            "breaker: none", "breaker: {failures: 2, window: 30s, open: 60s}"
        )
        with serving(tmp_path, settings) as router:
            up.behaviours["two"] = sends(stream(["Sure, here is the rest ", "of what I was going to say to you."]))
            for _ in range(3):
                up.behaviours["one"] = in_turn(sends(cut(TOKENS[:40]), then="reset"), answers())
                router.chat(stream=True)
            assert len(up.asked("two")) == 3
            up.behaviours["two"] = answers("I am well.")
            assert router.chat("two").status == 200


def test_it_ends_after_the_tries_of_the_route(router: Router, backend: Upstream) -> None:
    for name in ("two", "three"):
        backend.behaviours[name] = sends(cut(["word39 ", "more "]), then="reset")
    answer = router.chat(stream=True)
    assert error(answer) == "upstream_truncated"
    assert len(backend.requests) == 3


def test_both_parts_are_billed_recorded_and_told(router: Router, backend: Upstream) -> None:
    used = {"prompt_tokens": 1000, "completion_tokens": 21, "total_tokens": 1021}
    backend.behaviours["two"] = sends(stream(["word39 ", *TOKENS[40:]], used))
    answer = router.chat(stream=True, stream_options={"include_usage": True}, headers={"x-router-explain": "true"})
    name = answer.headers["x-router-decision-id"]
    first, second = rows(router, name, "attempts")
    assert (first["outcome"], first["usage_source"]) == ("truncated", "estimated")
    assert (second["outcome"], second["input_tokens"], second["output_tokens"]) == ("ok", 1000, 21)
    assert second["ttft_ms"] is None or second["ttft_ms"] >= 0
    [outcome] = rows(router, name, "outcomes")
    assert outcome["cost"] == first["cost"] + second["cost"]
    assert outcome["output_tokens"] == first["output_tokens"] + 21
    assert (outcome["status"], outcome["error"], outcome["finish_reason"]) == (200, None, "stop")
    usages = [one["usage"] for one in events(answer) if isinstance(one, dict) and one.get("usage")]
    assert [one["completion_tokens"] for one in usages] == [outcome["output_tokens"]]
    [explained] = [one["router"] for one in events(answer) if isinstance(one, dict) and "router" in one]
    assert explained["continued"] is True
    assert explained["attempts"] == ["truncated", "ok"]


def test_where_another_model_goes_on_the_stream_says_so_in_a_comment(router: Router, backend: Upstream) -> None:
    backend.behaviours["two"] = sends(stream(["word39 ", *TOKENS[40:]]))
    before, comment, after = router.chat(stream=True).body.partition(b"\n\n: x-router-warnings: info;continued;two\n\n")
    assert comment
    assert b"word39 " in before
    assert after.startswith(b"data: ")
    assert b"word40 " in after


def call(arguments: str) -> bytes:
    chunk = orjson.loads(delta(""))
    function = {"name": "look_up", "arguments": arguments}
    chunk["choices"][0]["delta"] = {
        "role": "assistant",
        "tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": function}],
    }
    return bytes(orjson.dumps(chunk))


def call_more(arguments: str) -> bytes:
    chunk = orjson.loads(delta(""))
    chunk["choices"][0]["delta"] = {"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]}
    return bytes(orjson.dumps(chunk))


def with_text(chunk: bytes) -> bytes:
    doc = orjson.loads(chunk)
    doc["choices"][0]["delta"]["content"] = "Let me see. "
    return bytes(orjson.dumps(doc))


def old_call(arguments: str) -> bytes:
    doc = orjson.loads(delta(""))
    doc["choices"][0]["delta"] = {"role": "assistant", "function_call": {"name": "look_up", "arguments": arguments}}
    return bytes(orjson.dumps(doc))


CALLS = {
    "after text": (delta("Let me see. "), call('{"ci')),
    "beside text": (with_text(call('{"ci')),),
    "as it once was": (delta("Let me see. "), old_call('{"ci')),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_tool_call_that_has_begun_is_never_guessed(router: Router, backend: Upstream, name: str) -> None:
    chunks = b"".join(event(one) for one in CALLS[name])
    backend.behaviours["one"] = sends(STREAM_HEAD + chunks, then="reset")
    answer = router.chat(stream=True)
    assert error(answer) == "upstream_truncated"
    assert not backend.asked("two")


def test_a_tool_call_of_which_nothing_was_sent_is_begun_again(router: Router, backend: Upstream) -> None:
    begun = event(delta("", role="assistant"))
    backend.behaviours["one"] = sends(STREAM_HEAD + begun, then="reset")
    whole = event(call('{"city":')) + event(call_more('"Rome"}')) + event(delta(finish="tool_calls"))
    backend.behaviours["two"] = sends(STREAM_HEAD + begun + whole + event(b"[DONE]") + b"0\r\n\r\n")
    answer = router.chat(stream=True)
    assert error(answer) is None
    calls = [
        one["function"]["arguments"]
        for chunk in events(answer)[:-1]
        for one in chunk["choices"][0]["delta"].get("tool_calls") or ()
    ]
    assert "".join(calls) == '{"city":"Rome"}'
    assert len(backend.asked("two")) == 1


def test_a_model_whose_context_cannot_hold_what_was_said_is_not_asked_for_the_rest(
    backend: Upstream, tmp_path: Path
) -> None:
    words = [f"word{number} " for number in range(600)]
    backend.behaviours["one"] = sends(cut(words[:500]), then="reset")
    backend.behaviours["three"] = sends(stream(words[499:]))
    text = routed(backend.url, "one", "two", "three")
    narrow = text.replace("name: two, ", "name: two, NARROW").replace("context: 32768", "context: 1000")
    text = "\n".join(
        small if "NARROW" in small else line for line, small in zip(text.split("\n"), narrow.split("\n"), strict=True)
    ).replace("NARROW", "")
    with serving(tmp_path, text) as router:
        answer = router.chat(stream=True)
    assert said(answer) == "".join(words)
    assert not backend.asked("two")
    assert len(backend.asked("three")) == 1


def test_json_that_does_not_parse_in_the_end_is_an_error(router: Router, backend: Upstream) -> None:
    first = '{"names": ["Ada Lovelace", "Grace Hopper", '
    backend.behaviours["one"] = sends(cut([first]), then="reset")
    ask: dict[str, Any] = {"stream": True, "response_format": {"type": "json_object"}}
    backend.behaviours["two"] = sends(stream([first, '"Barbara Liskov"]}']))
    answer = router.chat(**ask)
    assert orjson.loads(said(answer))["names"][-1] == "Barbara Liskov"
    assert events(answer)[-1] == "[DONE]"
    for name in ("two", "three"):
        backend.behaviours[name] = sends(stream([first, '"Barbara Liskov"']))
    assert error(router.chat(**ask)) == "upstream_truncated"


@pytest.mark.parametrize("fields", [{"n": 2}, {"logprobs": True}])
def test_what_cannot_be_continued_honestly_is_not(router: Router, backend: Upstream, fields: dict[str, Any]) -> None:
    assert error(router.chat(stream=True, **fields)) is not None
    assert not backend.asked("two")


def test_a_pinned_model_is_not_finished_by_another(router: Router, backend: Upstream) -> None:
    assert error(router.chat("one", stream=True)) is not None
    assert {one.body["model"] for one in backend.requests} == {"one"}


def test_a_rule_holds_for_the_rest_too(backend: Upstream, tmp_path: Path) -> None:
    extra = "rules: [{name: stay, when: {keywords: [secret]}, use: {location: local}}]"
    with serving(tmp_path, routed(backend.url, "one", "two", extra=extra)) as router:
        answer = router.chat(text="This is secret.", stream=True)
    assert error(answer) is not None
    assert not backend.asked("two")


def test_a_limit_of_tokens_counts_what_was_said(router: Router, backend: Upstream) -> None:
    backend.behaviours["two"] = sends(stream(["word39 ", *TOKENS[40:]]))
    assert said(router.chat(stream=True, max_tokens=500)) == TEXT
    assert backend.asked("two")[0].body["max_tokens"] == 500 - len("".join(TOKENS[:40])) // 4


def claude(tokens: list[str], whole: bool) -> bytes:
    """Anthropic's events: all of them, or those before the connection breaks."""
    start: dict[str, Any] = {"type": "message", "id": "msg_1", "role": "assistant", "model": "c", "content": []}
    start |= {"stop_reason": None, "usage": {"input_tokens": 7, "output_tokens": 1}}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": token}}
            for token in tokens
        ),
    ]
    if whole:
        events += [
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 20}},
            {"type": "message_stop"},
        ]
    frames = [b"event: %b\ndata: %b\n\n" % (one["type"].encode(), orjson.dumps(one)) for one in events]
    return STREAM_HEAD + b"".join(b"%x\r\n%b\r\n" % (len(frame), frame) for frame in frames) + b"0\r\n\r\n" * whole


def mixed(url: str, *names: str) -> str:
    """`claude...` speak Anthropic's dialect, the others OpenAI's."""
    lines = routed(url, *names, prefill=True).splitlines()
    host = url.removesuffix("/v1")
    return "\n".join(
        line.replace("backend: openai_compatible", "backend: anthropic").replace(url, host)
        if line.startswith("  - {name: claude")
        else line
        for line in lines
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [("claude", "two"), ("one", "claude-haiku-4-5"), ("claude", "claude-haiku-4-5")],
    ids=lambda name: name,
)
def test_an_answer_is_continued_across_dialects(backend: Upstream, tmp_path: Path, first: str, second: str) -> None:
    backend.behaviours.clear()
    backend.behaviours |= {
        "claude": sends(claude(TOKENS[:40], whole=False), then="reset"),
        "one": sends(cut(TOKENS[:40]), then="reset"),
        "two": sends(stream(TOKENS[40:])),
        "claude-haiku-4-5": sends(claude(TOKENS[40:], whole=True)),
    }
    with serving(tmp_path, mixed(backend.url, first, second)) as router:
        answer = router.chat(stream=True)
        assert said(answer) == TEXT
        assert events(answer)[-1] == "[DONE]"
        decision = answer.headers["x-router-decision-id"]
        assert [row["model"] for row in rows(router, decision, "attempts")] == [first, second]
        [asked] = backend.asked(second)
        last = asked.body["messages"][-1]
        assert last["role"] == "assistant", "the model goes on from what was said"
        said_before = last["content"] if isinstance(last["content"], str) else last["content"][0]["text"]
        assert said_before == "".join(TOKENS[:40]).rstrip()


# --- clients of the Responses API -------------------------------------------------------------------------------------


def test_a_client_of_the_responses_api_gets_one_valid_response_from_two_models(
    router: Router, backend: Upstream
) -> None:
    backend.behaviours["two"] = sends(stream(["word37 word38 ", "word39 ", *TOKENS[40:]]))
    answer = router.ask("/v1/responses", {"model": "auto", "input": "Count", "stream": True})
    final = checked(sent(answer.body))
    assert final["status"] == "completed"
    assert [part["text"] for item in final["output"] for part in item["content"]] == [TEXT]


def test_another_model_goes_on_with_a_stream_of_openai_s_own_events(tmp_path: Path, backend: Upstream) -> None:
    given = trace("aimock/36-responses_stream").body.replace(b"\r\n", b"\n")
    begun = given.split(b"event: response.output_text.done")[0]
    backend.behaviours["one"] = sends(STREAM_HEAD + chunked(begun[: begun.rindex(b"event: ")]), then="reset")
    backend.behaviours["two"] = sends(stream([" How can I help you t", "oday? Ask."]))
    settings = routed(backend.url, "one", "two").replace("backend: openai_compatible", "backend: openai", 1)
    settings = settings.replace("name: one,", "name: one, api_key: sk-none,")
    with serving(tmp_path, settings) as running:
        answer = running.ask("/v1/responses", {"model": "auto", "input": "Hi", "stream": True})
    events = sent(answer.body)
    final = checked(events)
    assert final["id"] == "resp-bBxgayJioYrWghu3"
    assert final["output"][0]["content"][0]["text"] == "Hello! I am a mock. How can I help you today? Ask."
    assert [request.head.split()[1] for request in backend.requests] == ["/v1/responses", "/v1/chat/completions"]
