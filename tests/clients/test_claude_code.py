"""A coding agent's session through the router: a long cached system prompt, tools, reasoning, parallel results, and a
model that changes from turn to turn. The one upstream signs its reasoning and holds its clients to Anthropic's rules.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from anthropic import Anthropic

from tests.serving.claude import Broken, Claude
from tests.serving.router import Router
from tests.serving.upstream import STREAM_HEAD, Behaviour, Request, Upstream, event, whole
from tests.support.agent import CACHED, REMINDER, Session, calls, kinds, result, thought, use

SYSTEM: list[dict[str, Any]] = [
    {"type": "text", "text": "You are a coding agent."},
    {"type": "text", "text": "Work step by step. " * 400, **CACHED},
]
TOOLS: list[dict[str, Any]] = [
    {
        "name": name,
        "description": f"{name} in the working folder",
        "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
    }
    for name in ("Read", "Bash", "Edit")
]
TOOLS[-1] |= CACHED


def local(
    text: str | None = None, reasoning: str | None = None, calls: tuple[tuple[str, str, str], ...] = ()
) -> Behaviour:
    """A local model's answer, as vLLM gives it. Calls are id, name and arguments."""
    made: list[dict[str, Any]] = [
        {"id": name, "type": "function", "function": {"name": function, "arguments": arguments}}
        for name, function, arguments in calls
    ]
    finish = "tool_calls" if calls else "stop"
    head = {"id": "chatcmpl-1", "created": 1, "model": "upstream-name"}
    said = {"role": "assistant", "content": text, "reasoning": reasoning, "tool_calls": made}

    async def behave(writer: asyncio.StreamWriter, request: Request) -> None:
        if not request.body.get("stream"):
            choice = {"index": 0, "message": said, "finish_reason": finish}
            usage = {"prompt_tokens": 50, "completion_tokens": 9, "total_tokens": 59}
            writer.write(whole({**head, "object": "chat.completion", "choices": [choice], "usage": usage}))
            return
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        deltas += [{"reasoning": word + " "} for word in (reasoning or "").split()]
        deltas += [{"content": text}] if text else []
        for index, one in enumerate(made):
            deltas.append({"tool_calls": [{**one, "index": index, "function": {**one["function"], "arguments": ""}}]})
            arguments = one["function"]["arguments"]
            for part in (arguments[:4], arguments[4:]):
                deltas.append({"tool_calls": [{"index": index, "function": {"arguments": part}}]})
        writer.write(STREAM_HEAD)
        for delta, reason in [*((one, None) for one in deltas), ({}, finish)]:
            choice = {"index": 0, "delta": delta, "finish_reason": reason}
            writer.write(event(orjson.dumps({**head, "object": "chat.completion.chunk", "choices": [choice]})))
        writer.write(event(b"[DONE]") + b"0\r\n\r\n")

    return behave


@pytest.fixture
def agent(router: Router) -> Iterator[Anthropic]:
    with Anthropic(base_url=router.url, api_key="unused", timeout=20, max_retries=0) as made:
        yield made


IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}}


@pytest.mark.proves("messages", "anthropic", ["signatures", "tool_results"], evidence="specification")
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_session_that_changes_its_model_breaks_none_of_anthropics_rules(
    agent: Anthropic, backend: Upstream, stream: bool
) -> None:
    claude = Claude(
        [
            [thought("I look at both files."), use("Read", 1, path="a.py"), use("Read", 2, path="b.py")],
            [{"type": "text", "text": "Now I see."}],
            [thought("The tests."), {"type": "redacted_thinking", "data": "EmwK+="}, use("Bash", 3, path="tests")],
            [{"type": "text", "text": "They pass."}],
            [thought("All done."), {"type": "text", "text": "Done."}],
        ]
    )
    backend.behaviours["claude-upstream"] = claude
    session = Session(agent, SYSTEM, TOOLS, stream=stream)

    # Claude begins, with reasoning and two calls at once.
    first = session.ask("claude", REMINDER, {"type": "text", "text": "Fix the bug in a.py"})
    assert kinds(first) == ["thinking", "tool_use", "tool_use"]
    assert claude.asked[0]["thinking"] == {"type": "enabled", "budget_tokens": 2000}
    assert claude.asked[0]["system"] == SYSTEM
    one, two = calls(first)

    # A local model takes the results, one of them an image, one an error, and calls twice itself.
    backend.behaviours["vllm-upstream"] = local(
        "\n\n", "I should read.", (("functions.Read:0", "Read", '{"path": "c.py"}'), ("call_1", "Bash", '{"path":"."}'))
    )
    results = (result(one, [{"type": "text", "text": "x = 1"}, IMAGE]), result(two, "no such file", is_error=True))
    second = session.ask("vllm", *results, REMINDER)
    assert kinds(second) == ["thinking", "text", "tool_use", "tool_use"]
    asked = backend.asked("vllm-upstream")[-1].body
    assert [message["role"] for message in asked["messages"]] == ["system", "user", "assistant", "tool", "tool", "user"]
    assert "EqQBCg" not in orjson.dumps(asked).decode()
    assert [message.get("content") for message in asked["messages"][3:5]] == ["x = 1", "Error: no such file"]

    # Claude goes on within a tool loop that another model began: it cannot think here, and is not asked to.
    third = session.ask("claude", *(result(block, "ok") for block in calls(second)))
    assert kinds(third) == ["text"]
    assert claude.asked[1]["thinking"] == {"type": "disabled"}
    assert {"warning;dropped;thinking", "warning;foreign;messages.thinking"} <= set(session.warnings)

    # A new turn: it thinks again, redacted too, and gets its own reasoning back within its loop.
    fourth = session.ask("claude", {"type": "text", "text": "Run the tests"})
    assert kinds(fourth) == ["thinking", "redacted_thinking", "tool_use"]
    session.ask("claude", result(calls(fourth)[0], "3 passed"), REMINDER)
    assert claude.asked[3]["thinking"]["type"] == "enabled"
    returned = [
        block for turn in claude.asked[3]["messages"] for block in turn["content"] if "thinking" in block["type"]
    ]
    assert [block["type"] for block in returned] == ["thinking", "thinking", "redacted_thinking"]

    # The local model says the end of it, without a call; then Claude once more.
    backend.behaviours["vllm-upstream"] = local("Fine.", "Well.")
    session.ask("vllm", {"type": "text", "text": "Sum up"})
    last = session.ask("claude", {"type": "text", "text": "Thanks"})
    assert kinds(last) == ["thinking", "text"]
    assert claude.refused == []
    assert len(claude.asked) == 5


def test_reasoning_about_to_be_cleared_is_not_asked_for_where_thinking_is_off(
    agent: Anthropic, backend: Upstream
) -> None:
    claude = Claude([[{"type": "text", "text": "Done."}]])
    backend.behaviours["claude-upstream"] = claude
    backend.behaviours["vllm-upstream"] = local(None, None, (("call_00000001", "Read", "{}"),))
    session = Session(agent, SYSTEM, TOOLS, stream=False)
    first = session.ask("vllm", {"type": "text", "text": "Read it"})
    edits = [{"type": "clear_thinking_20251015", "keep": "all"}, {"type": "clear_tool_uses_20250919"}]
    extra = {"context_management": {"edits": edits}}
    session.ask("claude", result(calls(first)[0], "text"), extra_body=extra)
    assert claude.refused == []
    assert claude.asked[0]["context_management"] == {"edits": edits[1:]}


def test_two_answers_with_the_same_placeholder_ids_stay_apart(agent: Anthropic, backend: Upstream) -> None:
    claude = Claude([[{"type": "text", "text": "Done."}]])
    backend.behaviours["claude-upstream"] = claude
    backend.behaviours["vllm-upstream"] = local(None, None, (("call_0", "Read", "{}"), ("call_1", "Read", "{}")))
    session = Session(agent, SYSTEM, TOOLS, stream=True)
    answer = session.ask("vllm", {"type": "text", "text": "Read it"})
    for _ in range(2):
        answer = session.ask("vllm", *(result(block, "text") for block in calls(answer)))
    session.ask("claude", *(result(block, "text") for block in calls(answer)))
    assert claude.refused == []


def test_the_rules_are_held() -> None:
    """The upstream of these tests refuses what Anthropic refuses."""
    claude = Claude([])
    good: dict[str, Any] = {"model": "m", "max_tokens": 4096, "messages": [{"role": "user", "content": "hi"}]}
    claude.check(good)
    tool = {"role": "assistant", "content": [use("Read", 1)]}
    answered = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_theirs1", "content": "x"}]}
    user = good["messages"][0]
    enabled = {"thinking": {"type": "enabled", "budget_tokens": 2000}}
    for bad in (
        {"base": 1},
        {"messages": [user, user]},
        {"messages": [user, {"role": "assistant", "content": [{"type": "text", "text": " "}]}]},
        {"messages": [user, {"role": "assistant", "content": [{**thought("x"), "signature": "made up"}]}]},
        {"messages": [user, tool]},
        {"messages": [user, tool, answered], **enabled},
        {"messages": [{"role": "user", "content": [{**REMINDER, **CACHED}] * 5}]},
    ):
        with pytest.raises(Broken):
            claude.check({**good, **bad})
    claude.check({**good, "messages": [user, tool, answered]})
