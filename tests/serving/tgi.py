"""A scripted Text Generation Inference, after the source of its router (version 3, `router/src`): `server.rs` for the
answers, `chat.rs` for streams and tools, `validation.rs` for what it refuses, `infer/mod.rs` for its errors.

It is no model: what it says is given. What it refuses, and how it frames what it says, is as the source has it.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import orjson

from tests.serving.upstream import STREAM_HEAD, Behaviour, Request, chunked, whole

MODEL: Final = "tiny/own-name"
HEADERS: Final = "x-compute-type: cpu\r\nx-total-time: 12\r\nx-queue-time: 1\r\nx-inference-time: 10\r\n"
KEEP_ALIVE: Final = b":\n\n"
# error_type -> status, and the words
ERRORS: Final[Mapping[str, tuple[int, str]]] = {
    "validation": (422, "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 1024. Given: 9 + 2000"),
    "template_error": (422, "Template error: invalid operation: Conversation roles must alternate"),
    "tool_error": (422, "Tool error: Tool with name nonsense not found"),
    "generation": (424, "Request failed during generation: Server error: CUDA out of memory"),
    "overloaded": (429, "Model is overloaded"),
    "incomplete_generation": (500, "Incomplete generation"),
    "healthcheck": (503, "unhealthy"),
}


def error(kind: str) -> bytes:
    status, message = ERRORS[kind]
    return whole({"error": message, "error_type": kind}, status)


def refused(body: Mapping[str, Any]) -> bytes | None:
    """What it answers to a request that it does not take."""
    if body.get("model") not in ("tgi", MODEL):
        return whole(
            {"error": "Request failed during generation: Server error: unknown adapter", "error_type": "generation"},
            424,
        )
    if "max_tokens" in body and "max_completion_tokens" in body:
        return _unread("duplicate field `max_tokens`")
    top_p = body.get("top_p")
    if top_p is not None and not 0 < top_p < 1:
        message = "Input validation error: `top_p` must be > 0.0 and < 1.0"
        return whole({"error": message, "error_type": "validation"}, 422)
    if body.get("response_format") is not None and body.get("tools") is not None:
        message = "Tool error: Grammar and tools are mutually exclusive"
        return whole({"error": message, "error_type": "tool_error"}, 422)
    form = body.get("response_format")
    if form is not None and (form.get("type") not in ("json", "json_object", "regex") or "value" not in form):
        return _unread("response_format: missing field `value`")
    return None


def _unread(why: str) -> bytes:
    """What axum says of a body that does not fit the request's type."""
    message = f"Failed to deserialize the JSON body into the target type: {why}".encode()
    return b"HTTP/1.1 422 X\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n\r\n%b" % (len(message), message)


def tgi(
    *parts: str, finish: str = "stop", tool: str = "", fails: str = "", broken: str = "", whole_arguments: bool = True
) -> Behaviour:
    """Says these parts, as text or as the arguments of a tool. `fails`: the kind of error that it answers with;
    `broken`: the one that it sends within a stream, after the parts. `whole_arguments`: the arguments of a whole answer
    are text, as in its later versions, and not an object.
    """

    async def behave(writer: asyncio.StreamWriter, request: Request) -> None:
        body = request.body
        if (no := error(fails) if fails else refused(body)) is not None:
            writer.write(no)
            return
        if body.get("stream"):
            for data in _stream(
                parts, finish, tool, broken, bool((body.get("stream_options") or {}).get("include_usage"))
            ):
                writer.write(data)
                await writer.drain()
            return
        text = "".join(parts)
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if tool:
            arguments = text if whole_arguments else orjson.loads(text)
            function = {"description": None, "name": tool, "arguments": arguments}
            message = {"role": "assistant", "tool_calls": [{"id": "0", "type": "function", "function": function}]}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        writer.write(
            whole(_head("chat.completion") | {"choices": [choice], "usage": _usage(len(parts))}, headers=HEADERS)
        )

    return behave


def _stream(parts: tuple[str, ...], finish: str, tool: str, broken: str, usage: bool) -> list[bytes]:
    frames = [STREAM_HEAD, chunked(KEEP_ALIVE)]
    for number, part in enumerate(parts):
        delta: dict[str, Any] = {"role": "assistant", "content": part}
        if tool:
            function = {"name": tool if number == 0 else None, "arguments": part}
            call = {"index": 0, "id": "0", "type": "function", "function": function}
            delta = {"role": "assistant", "tool_calls": [call]}
        frames.append(_event(_chunk(delta)))
    if broken:
        status, message = ERRORS[broken]
        frames.append(_event({"error": {"message": message, "http_status_code": status}}))
    else:
        frames.append(_event(_chunk({"role": "assistant", "content": ""}, finish)))
        if usage:
            frames.append(_event(_head("chat.completion.chunk") | {"choices": [], "usage": _usage(len(parts))}))
    return [*frames, chunked(b"data: [DONE]\n\n"), b"0\r\n\r\n"]


def _head(kind: str) -> dict[str, Any]:
    return {"object": kind, "id": "", "created": 1_700_000_000, "model": MODEL, "system_fingerprint": "3.3.5-native"}


def _chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return _head("chat.completion.chunk") | {"choices": [choice], "usage": None}


def _usage(tokens: int) -> dict[str, int]:
    return {"prompt_tokens": 9, "completion_tokens": tokens, "total_tokens": 9 + tokens}


def _event(doc: dict[str, Any]) -> bytes:
    return chunked(b"data: " + orjson.dumps(doc) + b"\n\n")
