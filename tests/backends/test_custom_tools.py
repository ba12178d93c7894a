"""Custom tools of a Responses request, where OpenAI answers and where it does not."""

from typing import Any

import orjson
import pytest
from openai.types.chat import CompletionCreateParams
from pydantic import TypeAdapter

from llm_inference_router.backends.registry import backend
from llm_inference_router.dialects.custom import text_of
from llm_inference_router.dialects.responses import Responses
from llm_inference_router.dialects.warning import joined
from tests.backends import wire

_PARAMS: TypeAdapter[Any] = TypeAdapter(CompletionCreateParams)
HI = {"role": "user", "content": "hi"}
LARK = {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}
PATCH = {"type": "custom", "name": "patch", "description": "Edits files.", "format": LARK}
PATCHED = [
    HI,
    {"type": "custom_tool_call", "call_id": "c", "name": "patch", "input": "*** Begin\n"},
    {"type": "custom_tool_call_output", "call_id": "c", "output": "ok"},
]
PATCHES: dict[str, Any] = {"input": PATCHED, "tools": [PATCH], "tool_choice": {"type": "custom", "name": "patch"}}
FREE = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}


@pytest.mark.proves(
    "responses", ["vllm", "tgi", "ollama", "llamacpp", "simulated"], "custom_tools", evidence="specification"
)
@pytest.mark.parametrize("name", ["vllm", "tgi", "ollama", "llamacpp", "openai_compatible", "simulated"])
def test_a_custom_tool_is_a_function_of_one_text_where_only_functions_are_known(name: str) -> None:
    body, warnings = sent(name)
    [tool] = body["tools"]
    assert (tool["type"], tool["function"]["name"], tool["function"]["parameters"]) == ("function", "patch", FREE)
    assert tool["function"]["description"].startswith("Edits files.\n\n")
    assert "start: /.+/" in tool["function"]["description"]
    [call] = body["messages"][1]["tool_calls"]
    assert (call["id"], call["type"], call["function"]["name"]) == ("c", "function", "patch")
    assert orjson.loads(call["function"]["arguments"]) == {"input": "*** Begin\n"}
    assert body["messages"][2] == {"role": "tool", "tool_call_id": "c", "content": "ok"}
    assert warnings[:2] == ["warning;weakened;tools.format", "info;rewritten;tools"]
    if name != "ollama":  # which ignores it, and says so
        assert body["tool_choice"] == {"type": "function", "function": {"name": "patch"}}
        assert len(warnings) == 2


@pytest.mark.proves("responses", "anthropic", "custom_tools", evidence="specification")
def test_a_custom_tool_of_a_responses_request_is_one_of_one_text_to_anthropic() -> None:
    body, warnings = sent("anthropic")
    assert (body["tools"][0]["name"], body["tools"][0]["input_schema"]) == ("patch", FREE)
    assert body["tool_choice"] == {"type": "tool", "name": "patch"}
    use, result = body["messages"][1]["content"][0], body["messages"][2]["content"][0]
    assert (use["name"], use["input"], result["content"]) == ("patch", {"input": "*** Begin\n"}, "ok")
    assert warnings == ["warning;weakened;tools.format", "info;rewritten;tools"]


def test_openais_own_chat_api_is_given_a_custom_tool_as_it_is() -> None:
    body, warnings = sent("openai")
    _PARAMS.validate_python(body)
    assert body["tools"][0]["custom"]["format"]["grammar"] == {"syntax": "lark", "definition": "start: /.+/"}
    assert body["messages"][1]["tool_calls"][0]["custom"] == {"name": "patch", "input": "*** Begin\n"}
    assert warnings == []


def test_what_is_no_call_of_such_a_function_is_given_as_it_came() -> None:
    assert text_of('{"input": "a\\nb"}') == "a\nb"
    for other in ('{"input": "a', '{"input": 1}', '["a"]', "", '{"patch": "a"}'):
        assert text_of(other) == other


def sent(name: str) -> tuple[dict[str, Any], list[str]]:
    """What this backend sends for PATCHES, through the hub, and all warnings that the client is given."""
    request = Responses().parse(orjson.dumps({"model": "auto", **PATCHES}))
    made = backend(name).encode(request, wire.model(name))
    return orjson.loads(made.call.body), [one for one in joined((*request.warnings, *made.warnings)).split(", ") if one]
