"""The official openai client's `responses` through the router, against servers that speak chat and Messages, and OpenAI
itself, whose own events it is given."""

from typing import Any

import orjson
import pytest
from openai import APIError, BadRequestError, NotFoundError, OpenAI, UnprocessableEntityError
from openai.types.responses import ResponseCompletedEvent, ResponseFunctionToolCall, ResponseReasoningItem
from pydantic import BaseModel

from tests.clients.replay import replays
from tests.serving.claude import Claude
from tests.serving.router import Router
from tests.serving.upstream import STREAM_HEAD, Upstream, answers, chunked, completion, delta, event, sends, whole
from tests.support.responses import body, checked, sent
from tests.traces.read import Trace, trace

PATH = "/v1/responses"
WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": True,
}
CHAT_WEATHER: Any = {"type": "function", "function": {k: v for k, v in WEATHER.items() if k != "type"}}
WHOLE = ["vllm/06-chat", "llama-cpp-python/06-chat", "transformers-serve/06-chat", "aimock/06-chat"]
STREAMS = ["vllm/10-chat_stream", "llama-cpp-python/10-chat_stream", "transformers-serve/10-chat_stream"]
CALLS = ["vllm/20-tools_auto", "vllm/21-tools_auto_stream", "aimock/20-tools_auto", "aimock/21-tools_auto_stream"]


def tag(server: str) -> dict[str, str]:
    return {"x-router-tags": f"server={server}"}


def teach(backend: Upstream, exchange: Trace, server: str = "") -> dict[str, str]:
    name = server or exchange.server
    backend.behaviours[f"{name}-upstream"] = replays(exchange)
    return tag(name)


def ask(router: Router, server: str, **fields: Any) -> bytes:
    return router.ask(PATH, {"model": "auto", "input": "Hello", **fields}, headers=tag(server)).body


# --- through chat -----------------------------------------------------------------------------------------------------


@pytest.mark.proves("responses", ["vllm", "llamacpp", "transformers"], "text", stream=False, evidence="recorded")
@pytest.mark.proves("responses", "vllm", "tools", stream=False, evidence="recorded")
@pytest.mark.parametrize("name", [*WHOLE, "vllm-reasoning/18-chat_think", "vllm/16-chat_logprobs", *CALLS[::2]])
def test_a_recorded_chat_answer_is_a_valid_response(router: Router, backend: Upstream, name: str) -> None:
    exchange = trace(name)
    server = "llama-cpp-python" if exchange.server == "aimock" else exchange.server  # aimock's model is OpenAI's
    teach(backend, exchange, server)
    said = orjson.loads(exchange.body)["choices"][0]["message"]
    answer = body(ask(router, server))
    assert answer["model"] == server
    texts = [p["text"] for item in answer["output"] if item["type"] == "message" for p in item["content"]]
    assert "".join(texts) == (said.get("content") or "")
    called = [item["arguments"] for item in answer["output"] if item["type"] == "function_call"]
    assert called == [call["function"]["arguments"] for call in said.get("tool_calls") or ()]


@pytest.mark.parametrize("name", [*STREAMS, "vllm-reasoning/19-chat_think_stream", *CALLS[1::2]])
def test_a_recorded_chat_stream_is_a_valid_stream_of_events(router: Router, backend: Upstream, name: str) -> None:
    exchange = trace(name)
    server = "llama-cpp-python" if exchange.server == "aimock" else exchange.server
    teach(backend, exchange, server)
    final = checked(sent(ask(router, server, stream=True)))
    assert final["output"]
    assert final["model"] == server


@pytest.mark.proves("responses", "anthropic", "tools", evidence="specification")
@pytest.mark.parametrize("stream", [False, True])
def test_claude_answers_a_client_of_the_responses_api(router: Router, backend: Upstream, stream: bool) -> None:
    for name in ("37-messages", "38-messages_stream", "39-messages_tools", "40-messages_tools_stream"):
        exchange = trace(f"aimock/{name}")
        if exchange.stream is stream:
            teach(backend, exchange, "claude")
            raw = ask(router, "claude", stream=stream, tools=[WEATHER])
            answer = checked(sent(raw)) if stream else body(raw)
            assert answer["output"]
            kinds = {item["type"] for item in answer["output"]}
            assert ("function_call" in kinds) is ("tools" in name)


def test_reasoning_between_what_claude_says_stays_there_and_goes_back_there(router: Router, backend: Upstream) -> None:
    said = [
        {"type": "thinking", "thinking": "one", "signature": "first"},
        {"type": "text", "text": "Let me see."},
        {"type": "thinking", "thinking": "two", "signature": "second"},
        {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}},
    ]
    message = {"id": "msg_1", "type": "message", "content": said, "stop_reason": "tool_use"}
    backend.behaviours["claude-upstream"] = sends(whole(message))
    output = body(ask(router, "claude", tools=[WEATHER]))["output"]
    assert [item["type"] for item in output] == ["reasoning", "message", "reasoning", "function_call"]
    result = {"type": "function_call_output", "call_id": "toolu_1", "output": "rain"}
    ask(router, "claude", tools=[WEATHER], input=[{"role": "user", "content": "Hello"}, *output, result])
    assert backend.asked("claude-upstream")[-1].body["messages"][1]["content"] == said


@pytest.mark.parametrize("path", [PATH, "/v1/chat/completions"])
def test_calls_without_ids_or_with_those_of_every_answer_can_go_on_at_claude(
    router: Router, backend: Upstream, path: str
) -> None:
    spoken: list[dict[str, Any]] = [{"role": "user", "content": "Hello"}]
    field, tool = ("input", WEATHER) if path == PATH else ("messages", CHAT_WEATHER)
    for given in ("", "", "call_0", "call_0"):
        call = {"id": given, "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        choices = [{"index": 0, "message": message, "finish_reason": "tool_calls"}]
        backend.behaviours["vllm-upstream"] = sends(whole(completion() | {"choices": choices}))
        reply = router.ask(path, {"model": "auto", field: spoken, "tools": [tool]}, headers=tag("vllm")).json()
        if path == PATH:
            name = reply["output"][0]["call_id"]
            spoken += [*reply["output"], {"type": "function_call_output", "call_id": name, "output": "rain"}]
        else:
            said = reply["choices"][0]["message"]
            name = said["tool_calls"][0]["id"]
            spoken += [said, {"role": "tool", "tool_call_id": name, "content": "rain"}]
    backend.behaviours["claude-upstream"] = replays(trace("aimock/37-messages"))
    asked = {"model": "auto", field: spoken, "tools": [tool]}
    assert router.ask(path, asked, headers=tag("claude")).status == 200
    turns = backend.asked("claude-upstream")[-1].body["messages"][1:]
    used = [turn["content"][0]["id"] for turn in turns[::2]]
    assert len(set(used)) == 4
    assert [turn["content"][0]["tool_use_id"] for turn in turns[1::2]] == used
    assert "call_0" in used


@pytest.mark.proves("responses", "vllm", ["text", "usage"], stream=False, evidence="scripted", client="openai (Python)")
def test_the_client_is_given_text(client: OpenAI, backend: Upstream) -> None:
    backend.behaviours["vllm-upstream"] = answers("Hello there.")
    answer = client.responses.create(model="auto", input="Hello", extra_headers=tag("vllm"))
    assert answer.output_text == "Hello there."
    assert answer.usage is not None
    assert answer.usage.input_tokens == 100
    [asked] = backend.requests
    assert asked.body["messages"] == [{"role": "user", "content": "Hello"}]


@pytest.mark.proves("responses", "vllm", "text", stream=True, evidence="scripted", client="openai (Python)")
def test_the_client_streams_text(client: OpenAI, backend: Upstream) -> None:
    backend.behaviours["vllm-upstream"] = answers("Hello there.")
    with client.responses.stream(model="auto", input="Hello", extra_headers=tag("vllm")) as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert "".join(one.delta for one in events if one.type == "response.output_text.delta") == "Hello there. "
    assert final.output_text == "Hello there. "
    assert isinstance(events[-1], ResponseCompletedEvent)


@pytest.mark.proves(
    "responses", "vllm", ["tools", "tool_results"], stream=False, evidence="recorded", client="openai (Python)"
)
def test_a_conversation_with_a_tool_comes_round(client: OpenAI, backend: Upstream) -> None:
    headers = teach(backend, trace("vllm/20-tools_auto"))
    said: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
    first = client.responses.create(model="auto", input=said, tools=[WEATHER], extra_headers=headers)
    [call] = [item for item in first.output if isinstance(item, ResponseFunctionToolCall)]
    headers = teach(backend, trace("vllm/25-tools_result"))
    said += [*first.output, {"type": "function_call_output", "call_id": call.call_id, "output": "18 degrees"}]
    second = client.responses.create(model="auto", input=said, tools=[WEATHER], extra_headers=headers)
    assert second.output_text
    asked = backend.requests[-1].body["messages"]
    assert asked[1]["tool_calls"] == [
        {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
    ]
    assert asked[2] == {"role": "tool", "tool_call_id": call.call_id, "content": "18 degrees"}


@pytest.mark.proves(
    "responses", "vllm", ["tools", "parallel_tools"], stream=True, evidence="scripted", client="openai (Python)"
)
def test_parallel_calls_of_a_stream_reach_the_client_whole(client: OpenAI, backend: Upstream) -> None:
    def part(index: int, name: str | None, text: str) -> bytes:
        named = {"id": f"call_{index}", "type": "function"} if name else {}
        function = {"arguments": text, **({"name": name} if name else {})}
        return event(delta(tool_calls=[{"index": index, **named, "function": function}]))

    parts = [(0, "get_weather", ""), (1, "get_weather", '{"city"'), (0, None, '{"city":"Rome"}'), (1, None, ':"Oslo"}')]
    raw = STREAM_HEAD + b"".join(part(*one) for one in parts) + event(delta(finish="tool_calls"))
    backend.behaviours["vllm-upstream"] = sends(raw + event(b"[DONE]") + b"0\r\n\r\n")
    with client.responses.stream(
        model="auto", input="Both", tools=[WEATHER], parallel_tool_calls=True, extra_headers=tag("vllm")
    ) as stream:
        final = stream.get_final_response()
    calls = [item for item in final.output if item.type == "function_call"]
    assert [orjson.loads(call.arguments) for call in calls] == [{"city": "Rome"}, {"city": "Oslo"}]


@pytest.mark.proves("responses", ["vllm", "anthropic"], "custom_tools", evidence="scripted", client="openai (Python)")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("server", ["vllm", "claude"])
def test_a_custom_tool_is_called_with_free_text(
    client: OpenAI, backend: Upstream, router: Router, server: str, stream: bool
) -> None:
    patch, given = "*** Begin Patch\n", {"input": "*** Begin Patch\n"}
    if server == "claude":
        backend.behaviours["claude-upstream"] = Claude(
            [[{"type": "tool_use", "id": "toolu_1", "name": "apply_patch", "input": given}]]
        )
    else:
        function = {"name": "apply_patch", "arguments": orjson.dumps(given).decode()}
        call = {"index": 0, "id": "call_1", "type": "function", "function": function}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        doc = completion() | {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
        raw = STREAM_HEAD + event(delta(tool_calls=[call])) + event(delta(finish="tool_calls"))
        raw += event(b"[DONE]") + b"0\r\n\r\n"
        backend.behaviours["vllm-upstream"] = sends(raw if stream else whole(doc))
    tools: Any = [{"type": "custom", "name": "apply_patch", "description": "Edits files."}]
    if stream:
        with client.responses.stream(model="auto", input="Edit", tools=tools, extra_headers=tag(server)) as events:
            answer: Any = events.get_final_response()
    else:
        answer = client.responses.create(model="auto", input="Edit", tools=tools, extra_headers=tag(server))
    [item] = answer.output
    assert (item.type, item.name, item.input) == ("custom_tool_call", "apply_patch", patch)


class City(BaseModel):
    name: str
    people: int


@pytest.mark.proves("responses", "vllm", "schema", stream=False, evidence="scripted", client="openai (Python)")
def test_structured_output_is_parsed(client: OpenAI, backend: Upstream) -> None:
    backend.behaviours["vllm-upstream"] = sends(whole(completion('{"name":"Oslo","people":700000}')))
    answer = client.responses.parse(model="auto", input="A city", text_format=City, extra_headers=tag("vllm"))
    assert answer.output_parsed == City(name="Oslo", people=700000)
    wanted = backend.requests[-1].body["response_format"]
    assert wanted["type"] == "json_schema"
    assert wanted["json_schema"]["strict"] is True
    assert wanted["json_schema"]["schema"]["required"] == ["name", "people"]


@pytest.mark.proves("responses", "vllm", "reasoning", stream=True, evidence="recorded", client="openai (Python)")
def test_reasoning_is_an_item_of_its_own(client: OpenAI, backend: Upstream) -> None:
    headers = teach(backend, trace("vllm-reasoning/19-chat_think_stream"))
    with client.responses.stream(model="auto", input="Think", extra_headers=headers) as stream:
        thought = "".join(one.delta for one in stream if one.type == "response.reasoning_text.delta")
        final = stream.get_final_response()
    item = final.output[0]
    assert isinstance(item, ResponseReasoningItem)
    assert item.content is not None
    assert item.content[0].text == thought != ""


def test_a_picture_goes_to_a_model_that_sees(client: OpenAI, backend: Upstream) -> None:
    picture = "data:image/png;base64,iVBORw0KGgo="
    content: Any = [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "image_url": picture, "detail": "low"},
    ]
    said: Any = [{"role": "user", "content": content}]
    client.responses.create(model="auto", input=said, extra_headers=tag("vllm"))
    assert backend.requests[-1].body["messages"][0]["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": picture, "detail": "low"}},
    ]
    with pytest.raises((UnprocessableEntityError, BadRequestError), match="vision"):
        client.responses.create(model="text", input=said)


def test_what_is_wrong_is_named_by_its_place(client: OpenAI, backend: Upstream) -> None:
    said: Any = [{"role": "user", "content": [{"type": "input_text", "text": 5}]}]
    with pytest.raises(BadRequestError) as caught:
        client.responses.create(model="auto", input=said)
    assert caught.value.param == "input[0].content[0].text"
    with pytest.raises(NotFoundError) as missing:
        client.responses.create(model="nothing", input="Hello")
    assert missing.value.code == "model_not_found"
    assert backend.requests == []


def test_a_stream_that_breaks_raises_in_the_client(client: OpenAI, backend: Upstream) -> None:
    backend.behaviours["vllm-upstream"] = sends(STREAM_HEAD + event(delta("Once")), then="close")
    stream = client.responses.create(model="vllm", input="Tell", stream=True)
    with pytest.raises(APIError, match="broke off"):
        list(stream)


def test_a_hosted_tool_is_left_out_with_a_warning_and_refused_where_it_must_be_called(
    client: OpenAI, backend: Upstream
) -> None:
    search: Any = [{"type": "web_search"}]
    chosen: Any = {"type": "web_search"}
    raw = client.responses.with_raw_response.create(model="auto", input="News", tools=search, extra_headers=tag("vllm"))
    assert "warning;dropped;web_search" in raw.headers["x-router-warnings"]
    assert "tools" not in backend.requests[-1].body
    backend.requests.clear()
    with pytest.raises((UnprocessableEntityError, BadRequestError), match="tool_choice"):
        client.responses.create(model="vllm", input="News", tools=search, tool_choice=chosen)
    assert backend.requests == []


def test_the_decision_can_be_asked_for_with_a_responses_body(router: Router, backend: Upstream) -> None:
    asked = {"model": "auto", "input": "What is 2 + 2?", "tools": [WEATHER]}
    answer = router.ask("/v1/route", asked)
    assert answer.status == 200
    assert answer.json()["signals"]["needs"] == ["tools"]
    assert router.ask("/v1/route", {"model": "auto", "input": 7}).json()["error"]["param"] == "input"
    explained = router.ask(PATH, asked, headers={**tag("vllm"), "x-router-explain": "true"}).json()
    assert explained["router"]["chosen"] == "vllm"
    assert backend.requests[-1].body["messages"][0]["content"] == "What is 2 + 2?"


# --- as OpenAI gives it -----------------------------------------------------------------------------------------------


@pytest.mark.proves(
    "responses", "openai", ["text", "metadata", "unknown_fields"], stream=False, evidence="specification"
)
@pytest.mark.parametrize("name", ["aimock/35-responses", "vllm/35-responses"])
def test_a_response_of_openai_passes_with_its_fields(router: Router, backend: Upstream, name: str) -> None:
    exchange = trace(name)
    teach(backend, exchange, "aimock")
    given = orjson.loads(exchange.body)
    answer = body(ask(router, "aimock", metadata={"a": "b"}, unheard_of=[1]))
    assert answer["model"] == "aimock"
    assert (answer["id"], answer["created_at"]) == (given["id"], given["created_at"])
    for part in given["output"][0]["content"]:
        part["logprobs"] = part.get("logprobs") or []  # where a server leaves out what OpenAI always says
    assert answer["output"] == given["output"]
    assert answer.keys() >= {name for name in given if given[name] is not None}
    [asked] = backend.requests
    assert asked.head.startswith("POST /v1/responses ")
    assert asked.body == {"model": "aimock-upstream", "input": "Hello", "metadata": {"a": "b"}, "unheard_of": [1]}


@pytest.mark.proves("responses", "openai", "text", stream=True, evidence="specification")
@pytest.mark.parametrize(
    "name", ["aimock/36-responses_stream", "vllm/36-responses_stream", "transformers-serve/36-responses_stream"]
)
def test_a_stream_of_openai_passes_event_by_event(router: Router, backend: Upstream, name: str) -> None:
    exchange = trace(name)
    teach(backend, exchange, "aimock")
    events = sent(ask(router, "aimock", stream=True))
    lines = exchange.body.replace(b"\r\n", b"\n").split(b"\n")
    given = [orjson.loads(line[6:]) for line in lines if line.startswith(b"data: {")]
    assert [one["type"] for one in events] == [one["type"] for one in given]
    assert [one.get("delta") for one in events] == [one.get("delta") for one in given]
    assert {one["response"]["model"] for one in events if "response" in one} == {"aimock"}
    for mine, theirs in zip(events, given, strict=True):
        assert mine.keys() >= theirs.keys()


@pytest.mark.proves(
    "responses", "openai", "web_search", stream=False, evidence="specification", client="openai (Python)"
)
def test_a_hosted_tool_goes_to_openai_as_it_is(client: OpenAI, backend: Upstream) -> None:
    headers = teach(backend, trace("aimock/35-responses"))
    search: Any = [{"type": "web_search", "user_location": {"type": "approximate", "city": "Oslo"}}]
    chosen: Any = {"type": "web_search"}
    raw = client.responses.with_raw_response.create(
        model="auto", input="News", tools=search, tool_choice=chosen, extra_headers=headers
    )
    assert "x-router-warnings" not in raw.headers
    assert backend.requests[-1].body["tools"] == search
    assert backend.requests[-1].body["tool_choice"] == {"type": "web_search"}


@pytest.mark.proves("responses", "openai", "errors", stream=False, evidence="scripted", client="openai (Python)")
def test_what_openai_refuses_is_passed_on(client: OpenAI, backend: Upstream) -> None:
    error = {"message": "Unsupported value", "type": "invalid_request_error", "param": "x", "code": "unsupported_value"}
    backend.behaviours["aimock-upstream"] = sends(whole({"error": error}, status=400))
    with pytest.raises(BadRequestError) as caught:
        client.responses.create(model="auto", input="Hello", extra_headers=tag("aimock"))
    assert caught.value.code == "unsupported_value"


_ERROR: dict[str, Any] = {"code": "server_error", "message": "no"}
_FAILED: dict[str, Any] = {"id": "resp-bBxgayJioYrWghu3", "status": "failed", "error": _ERROR}
ENDS: dict[str, bytes] = {
    "error": orjson.dumps({"type": "error", **_ERROR, "param": None, "sequence_number": 9}),
    "failed": orjson.dumps({"type": "response.failed", "sequence_number": 9, "response": _FAILED}),
    "done": b"[DONE]",
    "cut": b"",
}


@pytest.mark.parametrize("last", ENDS)
def test_a_stream_of_openai_that_does_not_complete_is_never_said_to_be_complete(
    client: OpenAI, backend: Upstream, last: str
) -> None:
    given = trace("aimock/36-responses_stream").body.replace(b"\r\n", b"\n")
    begun = given.split(b"event: response.output_text.done")[0]
    raw = STREAM_HEAD + chunked(begun + b"data: " + ENDS[last] + b"\n\n") + b"0\r\n\r\n"
    backend.behaviours["aimock-upstream"] = sends(raw)
    stream = client.responses.create(model="aimock", input="Hello", stream=True)
    events: list[Any] = []
    with pytest.raises(APIError):
        events.extend(stream)
    assert "".join(one.delta for one in events if one.type == "response.output_text.delta").startswith("Hello!")
    assert "response.completed" not in {one.type for one in events}
