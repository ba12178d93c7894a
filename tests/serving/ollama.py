"""A scripted Ollama, after its source (`openai/openai.go`, `middleware/openai.go`) and its page on OpenAI's API: what
it refuses, what it makes of a request, and how it frames what it says.

It is no model: what it says is given. `heard` is what its own API would be asked for, which shows what it ignores.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from tests.serving.upstream import STREAM_HEAD, Request, chunked, whole

MODEL: Final = "llama3.2:3b"
_EFFORTS: Final = ("high", "medium", "low", "none")
_IMAGES: Final = ("data:;base64,", *(f"data:image/{kind};base64," for kind in ("jpeg", "jpg", "png", "webp")))
_TYPES: Final = {400: "invalid_request_error", 404: "not_found_error"}


class Refused(Exception):
    """A 400, in its words."""


def error(status: int, message: str) -> bytes:
    body = {"message": message, "type": _TYPES.get(status, "api_error"), "param": None, "code": None}
    return whole({"error": body}, status)


@dataclass
class Ollama:
    """Says `thinking`, then these parts, then calls these tools (name and arguments). `cuts`: its runner dies after the
    parts, which it tells nobody. `fails`: status and message of the error that it answers with. `numbers`: whether its
    calls are numbered, as they are not in 0.20.
    """

    parts: Sequence[str] = ("Hello", " there.")
    thinking: Sequence[str] = ()
    calls: Sequence[tuple[str, Mapping[str, Any]]] = ()
    done: str = "stop"
    cuts: bool = False
    numbers: bool = True
    fails: tuple[int, str] | None = None
    heard: list[dict[str, Any]] = field(default_factory=list)

    async def __call__(self, writer: asyncio.StreamWriter, request: Request) -> None:
        body = request.body
        if body.get("model") != MODEL:
            writer.write(error(404, f"model '{body.get('model')}' not found"))
            return
        try:
            self.heard.append(native(body))
        except Refused as refused:
            writer.write(error(400, str(refused)))
            return
        if self.fails is not None:
            writer.write(error(*self.fails))
            return
        if body.get("stream"):
            for data in self._stream(bool((body.get("stream_options") or {}).get("include_usage"))):
                writer.write(data)
                await writer.drain()
            return
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self.parts)}
        if self.thinking:
            message["reasoning"] = "".join(self.thinking)
        if self.calls:
            message["tool_calls"] = self._calls()
        finish = "tool_calls" if self.calls else self.done
        choice = {"index": 0, "message": message, "finish_reason": finish}
        writer.write(whole(_head("chat.completion") | {"choices": [choice], "usage": self._usage()}))

    def _stream(self, usage: bool) -> list[bytes]:
        deltas: list[dict[str, Any]] = [{"content": "", "reasoning": part} for part in self.thinking]
        deltas += [{"content": part} for part in self.parts]
        deltas += [{"content": "", "tool_calls": [call]} for call in self._calls()]
        frames = [STREAM_HEAD, *(_event(_chunk(delta)) for delta in deltas)]
        if self.cuts:
            # The runner's error is read as a response without words, and nothing follows it.
            return [*frames, _event(_chunk({"content": ""})), b"0\r\n\r\n"]
        frames.append(_event(_chunk({"content": ""}, "tool_calls" if self.calls else self.done)))
        if usage:
            frames.append(_event(_head("chat.completion.chunk") | {"choices": [], "usage": self._usage()}))
        return [*frames, chunked(b"data: [DONE]\n\n"), b"0\r\n\r\n"]

    def _calls(self) -> list[dict[str, Any]]:
        return [
            {
                "id": f"call_{number:08x}",
                "index": number if self.numbers else 0,
                "type": "function",
                "function": {"name": name, "arguments": orjson.dumps(arguments).decode()},
            }
            for number, (name, arguments) in enumerate(self.calls)
        ]

    def _usage(self) -> dict[str, int]:
        said = len(self.parts) + len(self.thinking) + len(self.calls)
        return {"prompt_tokens": 9, "completion_tokens": said, "total_tokens": 9 + said}


def native(body: Mapping[str, Any]) -> dict[str, Any]:
    """The request that its own API is asked for. Raises Refused."""
    if not body.get("messages"):
        raise Refused("[] is too short - 'messages'")
    made: list[dict[str, Any]] = []
    for message in body["messages"]:
        made += _messages(message)
    options: dict[str, Any] = {"temperature": 1.0, "top_p": 1.0}
    stop = body.get("stop")
    if stop is not None:
        options["stop"] = [stop] if isinstance(stop, str) else stop
    options |= {
        name: body[name]
        for name in ("temperature", "top_p", "seed", "frequency_penalty", "presence_penalty")
        if body.get(name) is not None
    }
    if body.get("max_tokens") is not None:
        options["num_predict"] = body["max_tokens"]
    result: dict[str, Any] = {"messages": made, "options": options, "tools": body.get("tools") or []}
    form = body.get("response_format") or {}
    if form.get("type") == "json_object":
        result["format"] = "json"
    elif form.get("type") == "json_schema":
        result["format"] = form["json_schema"]["schema"]
    effort = body.get("reasoning_effort")
    if effort:
        if effort not in _EFFORTS:
            raise Refused(f'invalid reasoning value: \'{effort}\' (must be "high", "medium", "low", or "none")')
        result["think"] = effort != "none" and effort
    return result


def _messages(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One message, or one for each part of its content."""
    role, content, calls = message["role"], message.get("content"), message.get("tool_calls")
    if isinstance(content, list):
        parts = [_part(role, part) for part in content]
        if parts and calls:
            parts[-1]["tool_calls"] = [_call(call) for call in calls]
        return parts
    if not isinstance(content, str) and calls is None:
        raise Refused(f"invalid message content type: {'<nil>' if content is None else 'float64'}")
    made = {"role": role, "content": content or "", "tool_calls": [_call(call) for call in calls or ()]}
    if role == "tool":
        made["tool_call_id"] = message.get("tool_call_id")
    return [made]


def _part(role: str, part: Any) -> dict[str, Any]:
    if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str):
        return {"role": role, "content": part["text"]}
    if not isinstance(part, dict) or part.get("type") != "image_url":
        raise Refused("invalid message format")
    shown = part["image_url"]
    url = shown["url"] if isinstance(shown, dict) else shown
    if url.startswith(("http://", "https://")):
        raise Refused("image URLs are not currently supported, please use base64 encoded data instead")
    if not url.startswith(_IMAGES):
        raise Refused("invalid image input")
    return {"role": role, "images": [url.partition(",")[2]]}


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    try:
        arguments = orjson.loads(call["function"]["arguments"])
    except orjson.JSONDecodeError:
        arguments = None
    if not isinstance(arguments, dict):
        raise Refused("invalid tool call arguments")
    return {"id": call["id"], "function": {"name": call["function"]["name"], "arguments": arguments}}


def _head(kind: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-7",
        "object": kind,
        "created": 1_700_000_000,
        "model": MODEL,
        "system_fingerprint": "fp_ollama",
    }


def _chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": finish}
    return _head("chat.completion.chunk") | {"choices": [choice]}


def _event(doc: dict[str, Any]) -> bytes:
    return chunked(b"data: " + orjson.dumps(doc) + b"\n\n")
