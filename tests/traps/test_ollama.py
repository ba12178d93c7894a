"""Ollama's traps, each by name. From specification: the scripted server follows its source."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.backends.registry import backend, unseen
from llm_inference_router.dialects.chat import parse
from llm_inference_router.signals.attached import attachments
from tests.backends import wire
from tests.serving.messages import built, judge, named_events
from tests.serving.ollama import MODEL, Ollama, native
from tests.serving.router import events
from tests.support.responses import body as response_of
from tests.support.responses import checked, sent
from tests.traps.setting import Setting, has_fallen_back, is_error, setting, text_of

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS = [{"type": "function", "function": {"name": name, "parameters": PARAMETERS}} for name in ("f", "g")]
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
FORM = {"type": "json_schema", "json_schema": {"name": "p", "schema": SCHEMA}}
HI = {"role": "user", "content": "hi"}


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    with setting(tmp_path_factory.mktemp("ollama"), "ollama", upstream_model=MODEL) as made:
        yield made


@pytest.fixture(autouse=True)
def server(at: Setting) -> Ollama:
    at.fresh()
    return says(at, Ollama())


def says(at: Setting, server: Ollama) -> Ollama:
    at.behaves(server)
    return server


def served(reply: Any) -> Any:
    assert reply.status == 200, reply.body
    assert reply.headers["x-router-model"] == "first"
    return reply


def turns(at: Setting, *messages: dict[str, Any], **fields: Any) -> Any:
    return served(at.router.ask("/v1/chat/completions", {"model": "auto", "messages": list(messages), **fields}))


# --- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.proves("chat", "ollama", ["text", "usage", "finish_reasons"], evidence="specification")
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("done", ["stop", "length"])
def test_every_delta_has_a_role_and_the_usage_comes_after_the_finish(at: Setting, streamed: bool, done: str) -> None:
    says(at, Ollama(done=done))
    reply = served(at.ask(stream=streamed, stream_options={"include_usage": True} if streamed else None))
    assert text_of(reply) == "Hello there."
    docs = [one for one in events(reply) if isinstance(one, dict)] if streamed else [reply.json()]
    assert {one["model"] for one in docs} == {"first"}
    assert [c["finish_reason"] for one in docs for c in one["choices"] if c["finish_reason"]] == [done]
    assert docs[-1]["usage"] == {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}


@pytest.mark.proves("chat", "ollama", "usage", stream=True, evidence="specification")
def test_usage_is_asked_for_and_kept_from_a_client_that_did_not(at: Setting) -> None:
    found = [one for one in events(served(at.ask(stream=True))) if isinstance(one, dict)]
    assert at.asked()[0].body["stream_options"] == {"include_usage": True}
    assert all(one["choices"] and one.get("usage") is None for one in found)


@pytest.mark.proves("chat", "ollama", ["tools", "parallel_tools"], evidence="specification")
@pytest.mark.parametrize("streamed", [False, True])
def test_calls_come_whole_each_with_its_index(at: Setting, streamed: bool) -> None:
    says(at, Ollama(parts=(), calls=[("f", {"city": "Köln"}), ("g", {})]))
    reply = served(at.ask(stream=streamed, tools=TOOLS))
    if not streamed:
        choice = reply.json()["choices"][0]
        assert choice["finish_reason"] == "tool_calls"
        called = choice["message"]["tool_calls"]
    else:
        docs = [one for one in events(reply) if isinstance(one, dict)]
        called = [call for one in docs for c in one["choices"] for call in c["delta"].get("tool_calls") or ()]
        assert [call["index"] for call in called] == [0, 1]
        assert docs[-1]["choices"][0]["finish_reason"] == "tool_calls"
    assert [call["id"] for call in called] == ["call_00000000", "call_00000001"]
    assert [call["function"]["name"] for call in called] == ["f", "g"]
    assert [call["function"]["arguments"] for call in called] == ['{"city":"Köln"}', "{}"]


@pytest.mark.proves("chat", "ollama", "parallel_tools", stream=True, evidence="specification")
def test_parallel_calls_can_all_have_the_index_zero(at: Setting) -> None:
    says(at, Ollama(calls=[("f", {"city": "Köln"}), ("g", {}), ("f", {"city": "Rome"})], numbers=False))
    docs = [one for one in events(served(at.ask(stream=True, tools=TOOLS))) if isinstance(one, dict)]
    called = [call for one in docs for c in one["choices"] for call in c["delta"].get("tool_calls") or ()]
    assert [call["index"] for call in called] == [0, 1, 2]
    assert [call["id"] for call in called] == ["call_00000000", "call_00000001", "call_00000002"]
    assert [call["function"]["name"] for call in called] == ["f", "g", "f"]
    assert [call["function"]["arguments"] for call in called] == ['{"city":"Köln"}', "{}", '{"city":"Rome"}']


@pytest.mark.proves("messages", "ollama", "parallel_tools", stream=True, evidence="specification")
def test_a_messages_client_is_given_calls_of_one_index_as_blocks_of_their_own(at: Setting) -> None:
    says(at, Ollama(calls=[("f", {"city": "Köln"}), ("g", {})], numbers=False))
    tools = [{"name": name, "input_schema": PARAMETERS} for name in ("f", "g")]
    body = {"model": "auto", "max_tokens": 99, "messages": [HI], "tools": tools, "stream": True}
    got = built(named_events(served(at.router.ask("/v1/messages", body)).body))
    judge(got)
    assert [(one["name"], one["input"]) for one in got["content"][1:]] == [("f", {"city": "Köln"}), ("g", {})]


@pytest.mark.proves("responses", "ollama", "parallel_tools", stream=True, evidence="specification")
def test_a_responses_client_is_given_calls_of_one_index_as_items_of_their_own(at: Setting) -> None:
    says(at, Ollama(calls=[("f", {"city": "Köln"}), ("g", {})], numbers=False))
    tools = [{"type": "function", "name": name, "parameters": PARAMETERS, "strict": False} for name in ("f", "g")]
    asked = {"model": "auto", "input": "hi", "tools": tools, "stream": True}
    got = checked(sent(served(at.router.ask("/v1/responses", asked)).body))
    assert [(one["name"], one["arguments"]) for one in got["output"][1:]] == [("f", '{"city":"Köln"}'), ("g", "{}")]


@pytest.mark.proves("chat", "ollama", "reasoning", evidence="specification")
@pytest.mark.parametrize("streamed", [False, True])
def test_thinking_is_in_the_field_reasoning(at: Setting, streamed: bool) -> None:
    says(at, Ollama(thinking=("Hm", "m.")))
    reply = served(at.ask(stream=streamed))
    assert text_of(reply) == "Hello there."
    docs = [one for one in events(reply) if isinstance(one, dict)] if streamed else [reply.json()]
    said = [c.get("delta") or c.get("message") for one in docs for c in one["choices"]]
    assert "".join(one.get("reasoning") or one.get("reasoning_content") or "" for one in said) == "Hmm."


@pytest.mark.proves("messages", "ollama", ["text", "tools", "usage", "reasoning"], evidence="specification")
@pytest.mark.parametrize("streamed", [False, True])
def test_a_messages_client_is_given_all_of_it(at: Setting, streamed: bool) -> None:
    says(at, Ollama(thinking=("Hm.",), calls=[("f", {"city": "Rome"})]))
    tools = [{"name": "f", "input_schema": PARAMETERS}]
    body = {"model": "auto", "max_tokens": 99, "messages": [HI], "tools": tools, "stream": streamed}
    reply = served(at.router.ask("/v1/messages", body))
    got = built(named_events(reply.body)) if streamed else reply.json()
    judge(got)
    assert [block["type"] for block in got["content"]] == ["thinking", "text", "tool_use"]
    assert got["content"][2]["input"] == {"city": "Rome"}
    assert (got["stop_reason"], got["usage"]["output_tokens"]) == ("tool_use", 4)


@pytest.mark.proves("responses", "ollama", ["text", "tools", "usage", "reasoning"], evidence="specification")
@pytest.mark.parametrize("streamed", [False, True])
def test_a_responses_client_is_given_all_of_it(at: Setting, streamed: bool) -> None:
    says(at, Ollama(thinking=("Hm.",), calls=[("f", {"city": "Rome"})]))
    tools = [{"type": "function", "name": "f", "parameters": PARAMETERS, "strict": False}]
    reply = served(at.router.ask("/v1/responses", {"model": "auto", "input": "hi", "tools": tools, "stream": streamed}))
    got = checked(sent(reply.body)) if streamed else response_of(reply.body)
    assert [item["type"] for item in got["output"]] == ["reasoning", "message", "function_call"]
    assert got["output"][2]["arguments"] == '{"city":"Rome"}'
    assert got["usage"]["output_tokens"] == 4


# --- requests ---------------------------------------------------------------------------------------------------------


@pytest.mark.proves("chat", "ollama", ["sampling", "seed", "stop", "limits"], evidence="specification")
def test_it_knows_max_tokens_alone(at: Setting, server: Ollama) -> None:
    served(at.ask(max_completion_tokens=9, temperature=0.5, top_p=0.9, seed=7, stop="x", presence_penalty=0.1))
    assert server.heard[0]["options"] == {
        "num_predict": 9,
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 7,
        "stop": ["x"],
        "presence_penalty": 0.1,
    }


@pytest.mark.proves("chat", "ollama", ["schema", "json"], evidence="specification")
def test_a_schema_is_its_format(at: Setting, server: Ollama) -> None:
    served(at.ask(response_format=FORM))
    served(at.ask(response_format={"type": "json_object"}))
    assert [one["format"] for one in server.heard] == [SCHEMA, "json"]


@pytest.mark.proves("chat", "ollama", "n", evidence="specification", lost="dropped")
def test_it_ignores_n(at: Setting) -> None:
    assert served(at.ask(n=2)).headers["x-router-warnings"] == "warning;dropped;n"


@pytest.mark.proves("chat", "ollama", "tool_choice", evidence="specification", lost="dropped")
@pytest.mark.parametrize(
    ("choice", "offered", "warned"),
    [
        ("auto", ["f", "g"], None),
        ("none", [], "info;rewritten;tool_choice"),
        ("required", ["f", "g"], "warning;dropped;tool_choice"),
        ({"type": "function", "function": {"name": "g"}}, ["f", "g"], "warning;dropped;tool_choice"),
        ("allowed auto", ["g"], "info;rewritten;tool_choice"),
        ("allowed required", ["g"], "warning;dropped;tool_choice"),
    ],
)
def test_it_ignores_tool_choice_so_what_may_not_be_called_is_not_offered(
    at: Setting, server: Ollama, choice: Any, offered: list[str], warned: str | None
) -> None:
    if str(choice).startswith("allowed"):
        named = {"type": "function", "function": {"name": "g"}}
        choice = {"type": "allowed_tools", "allowed_tools": {"mode": choice.split()[1], "tools": [named]}}
    reply = served(at.ask(tools=TOOLS, tool_choice=choice))
    assert [tool["function"]["name"] for tool in server.heard[0]["tools"]] == offered
    assert reply.headers.get("x-router-warnings") == warned


@pytest.mark.proves("chat", "ollama", "reasoning_effort", evidence="specification")
@pytest.mark.parametrize(
    ("effort", "think"),
    [("none", False), ("minimal", "low"), ("low", "low"), ("medium", "medium"), ("high", "high"), ("xhigh", "high")],
)
def test_it_refuses_other_efforts_than_three(at: Setting, server: Ollama, effort: str, think: Any) -> None:
    reply = served(at.ask(reasoning_effort=effort))
    assert server.heard[0]["think"] == think
    clamped = effort in ("minimal", "xhigh")
    assert reply.headers.get("x-router-warnings") == ("warning;clamped;reasoning_effort" if clamped else None)


@pytest.mark.proves("chat", "ollama", ["system", "tool_results"], evidence="specification")
def test_each_part_would_be_a_message_of_its_own_and_a_result_forget_its_call(at: Setting, server: Ollama) -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    turns(
        at,
        {"role": "developer", "content": parts},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": parts},
        {"role": "assistant", "content": None, "refusal": "No."},
        HI,
        tools=TOOLS,
    )
    heard = server.heard[0]["messages"]
    assert [one["role"] for one in heard] == ["system", "user", "assistant", "tool", "assistant", "user"]
    assert [one["content"] for one in heard] == ["one\n\ntwo", "one\n\ntwo", "", "one\n\ntwo", "No.", "hi"]
    assert heard[2]["tool_calls"][0]["function"]["arguments"] == {"a": 1}
    assert heard[3]["tool_call_id"] == "call_1"


@pytest.mark.proves("chat", "ollama", "images", evidence="specification")
def test_it_takes_pictures_in_the_request_and_refuses_addresses(at: Setting, server: Ollama) -> None:
    def shown(url: str) -> dict[str, Any]:
        parts = [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": url}}]
        return {"model": "first", "messages": [{"role": "user", "content": parts}]}

    served(at.router.ask("/v1/chat/completions", shown("data:image/png;base64,AAAA")))
    assert server.heard[0]["messages"][1]["images"] == ["AAAA"]
    for url, unable in (
        ("https://example.com/a.png", "pictures by their address"),
        ("data:image/gif;base64,AAAA", "pictures of this type"),
    ):
        refused = is_error(at.router.ask("/v1/chat/completions", shown(url)), 400)
        assert f"has no way to take {unable}" in refused["message"]


@pytest.mark.proves("chat", "ollama", "images", evidence="specification")
@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"}},
    ],
)
def test_what_it_refuses_to_look_at_is_asked_of_another_model(at: Setting, server: Ollama, part: Any) -> None:
    said = [{"role": "user", "content": [{"type": "text", "text": "see"}, part]}]
    has_fallen_back(at.router.ask("/v1/chat/completions", {"model": "auto", "messages": said}))
    assert server.heard == []


@pytest.mark.proves("chat", "ollama", "custom_tools", evidence="specification", lost="dropped")
def test_a_custom_call_is_one_of_a_function_with_its_text_and_the_tool_is_not_offered(
    at: Setting, server: Ollama
) -> None:
    call = {"id": "call_1", "type": "custom", "custom": {"name": "run", "input": "ls -l"}}
    result = {"role": "tool", "tool_call_id": "call_1", "content": "x"}
    offered = [*TOOLS, {"type": "custom", "custom": {"name": "run"}}]
    reply = turns(at, HI, {"role": "assistant", "content": None, "tool_calls": [call]}, result, tools=offered)
    heard = server.heard[0]
    assert heard["messages"][1]["tool_calls"][0]["function"] == {"name": "run", "arguments": {"input": "ls -l"}}
    assert [tool["function"]["name"] for tool in heard["tools"]] == ["f", "g"]
    assert reply.headers["x-router-warnings"] == "warning;dropped;tools"


@pytest.mark.parametrize(
    ("given", "sent_on", "warned"),
    [
        ('{"a": 1}', {"a": 1}, None),
        ("", {}, None),
        ("[1]", {"arguments": [1]}, "info;rewritten;tool_calls"),
        ('{"a": ', {"arguments": '{"a": '}, "info;rewritten;tool_calls"),
    ],
)
def test_it_refuses_a_conversation_whose_calls_have_other_arguments_than_objects(
    at: Setting, server: Ollama, given: str, sent_on: Any, warned: str | None
) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": given}}
    result = {"role": "tool", "tool_call_id": "call_1", "content": "x"}
    reply = turns(at, HI, {"role": "assistant", "content": "", "tool_calls": [call]}, result, tools=TOOLS)
    assert server.heard[0]["messages"][1]["tool_calls"][0]["function"]["arguments"] == sent_on
    assert reply.headers.get("x-router-warnings") == warned


_SAID = st.sampled_from(["text", "refusal"]).flatmap(
    lambda kind: st.fixed_dictionaries({"type": st.just(kind), kind: st.text(max_size=4)})
)
_TEXTS = st.lists(_SAID, min_size=1, max_size=3)
_SHOWN = st.builds(
    lambda url: {"type": "image_url", "image_url": {"url": url}},
    st.sampled_from(["data:image/png;base64,AAAA", "data:;base64,AAAA", "data:image/webp;base64,AAAA"]),
)
_UNSEEN = st.sampled_from(
    [
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/gif;base64,AAAA"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    ]
)
_CALLED = st.builds(
    lambda text: {"id": "c", "type": "custom", "custom": {"name": "f", "input": text}}, st.text(max_size=4)
)
_CALLS = st.lists(
    _CALLED
    | st.builds(
        lambda text: {"id": "c", "type": "function", "function": {"name": "f", "arguments": text}},
        st.sampled_from(["", " ", "{}", '{"a":1}', "[1]", "null", '"x"', "{", "12345678901234567890123"]),
    ),
    min_size=1,
    max_size=2,
)
_MESSAGES = st.one_of(
    st.builds(lambda content: {"role": "user", "content": content}, st.text(max_size=4) | _TEXTS),
    st.builds(lambda content: {"role": "system", "content": content}, st.text(max_size=4) | _TEXTS),
    st.builds(lambda calls: {"role": "assistant", "content": None, "tool_calls": calls}, _CALLS),
    st.builds(lambda said: {"role": "assistant", "content": said}, st.text(max_size=4) | _TEXTS),
    st.builds(lambda said: {"role": "assistant", "content": None, "refusal": said}, st.text(max_size=4)),
    st.builds(lambda said: {"role": "tool", "tool_call_id": "c", "content": said}, st.text(max_size=4) | _TEXTS),
    st.builds(lambda parts: {"role": "user", "content": parts}, st.lists(_SAID | _SHOWN | _UNSEEN, max_size=3)),
)


def _is_unseen(part: Any) -> bool:
    url = part["image_url"]["url"] if part["type"] == "image_url" else ""
    return url.startswith(("https:", "data:image/gif"))


def _messages_of(content: Any) -> int:
    """It makes a message of each part where there are pictures among them."""
    shows = isinstance(content, list) and any(part["type"] == "image_url" for part in content)
    return len(content) if shows else 1


@given(st.lists(_MESSAGES, min_size=1, max_size=5), st.sampled_from([None, "minimal", "xhigh", "max", "low"]))
def test_no_conversation_that_a_client_may_send_is_one_that_it_refuses(messages: Any, effort: str | None) -> None:
    doc = {"model": "auto", "messages": messages} | ({"reasoning_effort": effort} if effort else {})
    raw = orjson.dumps(doc)
    request = parse(raw)
    parts = [part for one in messages if isinstance(one["content"], list) for part in one["content"]]
    refused = any(part["type"] not in ("text", "refusal", "image_url") or _is_unseen(part) for part in parts)
    assert (unseen("ollama", attachments(request)) is not None) is refused, "then another model is asked"
    if refused:
        return
    body = orjson.loads(backend("ollama").encode(request, wire.model("ollama")).call.body)
    assert len(native(body)["messages"]) == sum(_messages_of(one["content"]) for one in messages)
    assert orjson.dumps(request.body) == raw, "another model may be asked after this one"


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.proves("chat", "ollama", "errors", evidence="specification")
def test_an_error_has_neither_code_nor_param(at: Setting) -> None:
    says(at, Ollama(fails=(400, f"registry.ollama.ai/library/{MODEL} does not support tools")))
    error = is_error(at.ask("first", tools=TOOLS), 400)
    assert "does not support tools" in error["message"]


@pytest.mark.proves("chat", "ollama", "errors", evidence="specification")
@pytest.mark.parametrize("status", [404, 500, 503])
def test_a_model_that_is_not_pulled_and_one_that_cannot_be_loaded_are_answered_by_another(
    tmp_path: Path, status: int
) -> None:
    with setting(tmp_path, "ollama", upstream_model=MODEL) as ill:
        says(ill, Ollama(fails=(status, "model 'llama3.2:3b' not found")))
        has_fallen_back(ill.ask())


@pytest.mark.proves("chat", "ollama", "broken_answers", stream=True, evidence="specification")
def test_a_runner_that_dies_ends_the_stream_without_a_word_and_that_is_an_error(at: Setting) -> None:
    says(at, Ollama(cuts=True))
    found = events(at.ask("first", stream=True))
    assert found[-1]["error"]["code"] == "upstream_truncated"
    assert "[DONE]" not in found
    says(at, Ollama(parts=(), cuts=True))
    has_fallen_back(at.ask(stream=True))


def test_the_id_that_it_gives_to_one_answer_in_a_thousand_is_passed_on(at: Setting) -> None:
    assert served(at.ask()).json()["id"] == "chatcmpl-7"
