"""A simulated answer as OpenAI's chat dialect: one JSON body, or the frames of an event stream."""

import math
from typing import Any

import orjson

from llm_inference_router.backends.simulated_answer import Imagined, Said

DONE = b"data: [DONE]\n\n"
FINGERPRINT = "fp_simulated"


def whole(answer: Imagined, *, id: str, created: int) -> bytes:  # noqa: A002 - the wire's own name
    """The chat.completion object."""
    return orjson.dumps(
        {
            "id": id,
            "object": "chat.completion",
            "created": created,
            "model": answer.model,
            "choices": [_choice(answer, index, said) for index, said in enumerate(answer.choices)],
            "usage": usage(answer),
            "system_fingerprint": FINGERPRINT,
            "simulated": answer.marks,
        }
    )


def usage(answer: Imagined) -> dict[str, int]:
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.prompt_tokens + answer.output_tokens,
    }


def error(message: str, *, type: str, code: str | None, param: str | None = None) -> bytes:  # noqa: A002 - as above
    """An error body in OpenAI's shape."""
    return orjson.dumps({"error": {"message": message, "type": type, "param": param, "code": code}})


def _choice(answer: Imagined, index: int, said: Said) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": said.text, "refusal": None}
    if said.tool is not None:
        function = {"name": said.tool.name, "arguments": said.text}
        message["content"] = None
        message["tool_calls"] = [{"id": said.tool.id, "type": "function", "function": function}]
    logprobs = _logprobs(answer, said, 0, len(said.pieces))
    return {"index": index, "message": message, "logprobs": logprobs, "finish_reason": said.finish_reason}


class Frames:
    """The frames of one stream. `step` gives what lies between two token counts, so that the caller sets the
    pace.
    """

    def __init__(self, answer: Imagined, *, id: str, created: int, include_usage: bool) -> None:  # noqa: A002 - as above
        self._answer = answer
        self._usage = include_usage
        self._head: dict[str, Any] = {
            "id": id,
            "object": "chat.completion.chunk",
            "created": created,
            "model": answer.model,
            "system_fingerprint": FINGERPRINT,
        }
        self.steps = max(len(said.pieces) for said in answer.choices)

    def first(self) -> bytes:
        """One frame for each choice that opens it: the role, and the name of the tool that is called."""
        return b"".join(self._frame(index, self._opening(said)) for index, said in enumerate(self._answer.choices))

    def step(self, start: int, end: int) -> bytes:
        """The tokens from `start` up to, not including, `end` of every choice: one frame for each."""
        frames = []
        for index, said in enumerate(self._answer.choices):
            if text := "".join(said.pieces[start:end]):
                delta = {"content": text} if said.tool is None else _arguments(text)
                probable = _logprobs(self._answer, said, start, end)
                frames.append(self._frame(index, delta, logprobs=probable))
        return b"".join(frames)

    def last(self) -> bytes:
        """Finish reasons, usage if it was asked for, and the end marker. The very last chunk says
        `simulated`.
        """
        marks = {"simulated": self._answer.marks}
        ends = len(self._answer.choices) - 1
        frames = [
            self._frame(index, {}, said.finish_reason, marks if index == ends else {})
            for index, said in enumerate(self._answer.choices)
        ]
        if self._usage:
            frames.append(_framed({**self._head, "choices": [], "usage": usage(self._answer), **marks}))
        return b"".join([*frames, DONE])

    def _opening(self, said: Said) -> dict[str, Any]:
        if said.tool is None:
            return {"role": "assistant", "content": "", "refusal": None}
        call = {"id": said.tool.id, "type": "function", "function": {"name": said.tool.name, "arguments": ""}}
        return {"role": "assistant", "content": None, "tool_calls": [{"index": 0, **call}]}

    def _frame(
        self,
        index: int,
        delta: dict[str, Any],
        finish: str | None = None,
        extra: dict[str, Any] | None = None,
        logprobs: dict[str, Any] | None = None,
    ) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        chunk = {**self._head, "choices": [choice], **(extra or {})}
        if self._usage:
            chunk["usage"] = None
        return _framed(chunk)


def _logprobs(answer: Imagined, said: Said, start: int, end: int) -> dict[str, Any] | None:
    """The log probability of every token is that of a good answer: something to show, nothing to trust."""
    if answer.logprobs is None or said.tool is not None:
        return None
    logprob = math.log(answer.quality)
    tokens = [{"token": piece, "logprob": logprob, "bytes": list(piece.encode())} for piece in said.pieces[start:end]]
    shown = min(1, answer.logprobs)  # the token itself: a simulated model knows no alternative
    return {"content": [{**token, "top_logprobs": [token] * shown} for token in tokens], "refusal": None}


def _arguments(text: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}


def _framed(chunk: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(chunk) + b"\n\n"
