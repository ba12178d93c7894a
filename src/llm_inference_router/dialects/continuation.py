"""The rest of an answer that was cut, from another model: how it is asked for, and how it is joined to what was sent.

What was sent stands: nothing of it is sent again or contradicted. A model that takes a prefill writes on from the last
character. Any other is asked to repeat the last words and go on, which shows where its answer joins; what it repeats is
taken out. Where the rest does not join (it begins anew with other words, or talks about the interruption), it is not
used.
"""

import re
from typing import Any, Final

import orjson
from msgspec import structs

from llm_inference_router.dialects.assemble import CHARS_PER_TOKEN
from llm_inference_router.types import ChatRequest, Fault, Message, Piece

_ANCHOR_CHARS: Final = 60
_CERTAIN: Final = 20  # characters of overlap that are no accident
_RESTART: Final = 40  # characters from the answer's beginning that show that a model began anew
_HELD: Final = 48  # characters that are held back before a rest without any overlap is taken
_LEAST: Final = 4  # characters of a whole answer's beginning that a model does not write twice by accident
_WINDOW: Final = 4000  # characters in which an overlap is looked for
_LEAST_TOKENS: Final = 16
_PREAMBLE: Final = re.compile(
    r"\W*(sure|certainly|of course|okay|ok|absolutely|here(?:'s| is| are)|continuing|continued|resuming|to continue"
    r"|let me (?:continue|go on|finish)|i apologi[sz]e|apologies|sorry|as an ai|you(?:'re| are) right|i was cut)\b",
    re.IGNORECASE,
)
MISFIT: Final = "rest_does_not_join"
_ENDED: Final = re.compile(r"""[.!?:;…。！？।؟)\]}>"'`*|]\s*\Z""")
_MISJOINED: Final = Fault(
    "truncated", "the rest of the answer, from another model, did not join what had been sent", code=MISFIT
)


def anchor(said: str) -> str:
    """The last words of what was sent, without the white space that may follow them."""
    text = said.rstrip()
    start = max(0, len(text) - _ANCHOR_CHARS)
    while start > 0 and not text[start - 1].isspace() and len(text) - start < 2 * _ANCHOR_CHARS:
        start -= 1
    return text[start:]


def continued(request: ChatRequest, said: str, prefill: bool) -> ChatRequest:
    """The request for the rest. What was said counts against the client's limit of tokens."""
    turns: list[dict[str, Any]] = [{"role": "assistant", "content": said.rstrip() if prefill else said}]
    if not prefill:
        turns.append({"role": "user", "content": _instruction(said)})
    body = dict(request.body)
    body["messages"] = [*body["messages"], *turns]
    messages = tuple(Message("assistant" if turn["role"] == "assistant" else "user", turn["content"]) for turn in turns)
    limit = request.max_tokens
    if limit is not None:
        limit = max(_LEAST_TOKENS, limit - len(said) // CHARS_PER_TOKEN)
        for name in ("max_tokens", "max_completion_tokens"):
            if body.get(name) is not None:
                body[name] = limit
    return structs.replace(
        request, body=body, messages=(*request.messages, *messages), max_tokens=limit, prefilled=prefill
    )


def _instruction(said: str) -> str:
    return (
        "The connection broke while you were answering, and your answer above ends in the middle. Write the rest of "
        "it, so that both together read as one answer. Begin by repeating its last words exactly: "
        f"{anchor(said)}\n"
        "Then go on from there to the end. Write nothing else: no introduction, no remark on the interruption."
    )


class Seam:
    """Joins a rest to what was `said`. `feed` gives what may be sent; `unfit`: the rest does not join, and nothing of
    it was given."""

    def __init__(self, said: str, prefill: bool) -> None:
        self._said = said
        self._prefill = prefill
        self._held = ""
        self._joined = False
        self._gave = False
        self.unfit = False

    def feed(self, text: str) -> str:
        if self._joined or self.unfit:
            self._gave = self._gave or bool(text)
            return "" if self.unfit else text
        self._held += text
        return self._decide(last=False)

    def end(self, called: bool) -> str:
        """The rest is complete: what was held back of it. A rest of nothing, where no tool was `called`, fits only what
        had come to an end.
        """
        text = "" if self._joined or self.unfit else self._decide(last=True)
        if not (text or called or self._gave or _ENDED.search(self._said)):
            self.unfit = True
        return text

    def _decide(self, last: bool) -> str:
        for text in dict.fromkeys((self._held, self._held.lstrip())):
            if last and self._said.endswith(text):
                return self._join("")
            if text and not last and self._may_still_repeat(text):
                return ""
            repeated = self._repeated(text)
            if repeated:
                return self._join(text[repeated:])
        text = self._held
        if not last and len(text) < _HELD:
            return ""
        begins_anew = self._said.startswith(text.lstrip()[:_RESTART]) and len(text.lstrip()) >= _RESTART
        if begins_anew or (not self._prefill and _PREAMBLE.match(text)):
            self.unfit = True
            return ""
        return self._join(text if self._prefill else self._spaced(text))

    def _join(self, rest: str) -> str:
        self._joined = True
        said = self._said
        # A prefill goes without the white space at its end, which the model then writes itself.
        while rest and rest[0].isspace() and said and said[-1].isspace() and self._prefill:
            rest = rest[1:]
        self._gave = bool(rest)
        return rest

    def _may_still_repeat(self, text: str) -> bool:
        """What has come so far is somewhere in what was said, and not up to its end."""
        at = self._said.find(text)
        return at >= 0 and not self._said.endswith(text)

    def _repeated(self, text: str) -> int:
        """How many characters at its beginning are those at the end of what was said."""
        said = self._said
        if text.startswith(said) and (len(said) >= _LEAST or not self._prefill):
            return len(said)
        for length in range(min(len(said), len(text), _WINDOW), 0, -1):
            if said.endswith(text[:length]) and (length >= _CERTAIN or self._words(text, length)):
                return length
        return 0

    def _words(self, text: str, length: int) -> bool:
        """Whole words: the end of one word and the beginning of another are often alike by accident."""
        if self._prefill or length < 2 or length == len(text):
            return False
        before = len(self._said) - length
        starts = before == 0 or not (self._said[before - 1].isalnum() and text[0].isalnum())
        ends = not (text[length - 1].isalnum() and text[length].isalnum())
        return starts and ends and any(c.isalnum() for c in text[:length])

    def _spaced(self, text: str) -> str:
        """Models seldom begin an answer with a space, and streams are cut between words."""
        said = self._said
        both = bool(said) and said[-1].isalnum() and bool(text) and text[0].isalnum()
        return " " + text if both and said[-1].isascii() and text[0].isascii() else text


class Continuing:
    """A decoder of the rest, whose pieces join the stream that the client has: its id, its date, no second role."""

    def __init__(self, inner: Any, seam: Seam, id: str, created: int) -> None:  # noqa: A002 - the wire's name
        """`inner` decodes the upstream's stream (`backends.base.Decoder`)."""
        self._inner = inner
        self._seam = seam
        self._id = id
        self._created = created
        self._called = False

    def feed(self, data: bytes) -> list[Piece]:
        return [one for piece in self._inner.feed(data) for one in self._turned(piece)]

    def close(self) -> list[Piece]:
        return [one for piece in self._inner.close() for one in self._turned(piece)]

    def _turned(self, piece: Piece) -> list[Piece]:
        if piece.fault is not None:
            return [piece]
        doc = orjson.loads(piece.chunk) if piece.chunk is not None else {"choices": []}
        finish = piece.finish_reason
        quiet = Piece(text_chars=piece.text_chars, usage=piece.usage, finish_reason=finish, done=piece.done)
        choices = doc["choices"]
        delta = choices[0].get("delta", {}) if choices else {}
        text = self._seam.feed(delta.get("content") or "")
        calls = delta.get("tool_calls")
        self._called = self._called or bool(calls)
        if finish is not None or piece.done:
            text += self._seam.end(self._called)
        if self._seam.unfit or delta.get("refusal"):
            return [quiet_of(piece), Piece(fault=_MISJOINED, done=True)]
        pieces = []
        if text or calls:
            shown = {name: value for name, value in (("content", text), ("tool_calls", calls)) if value}
            chunk = self._chunk(doc, {"index": 0, "delta": shown, "finish_reason": None})
            pieces.append(Piece(chunk, True, 0, text))
        if finish is not None and choices:
            chunk = self._chunk(doc, {"index": 0, "delta": {}, "finish_reason": choices[0].get("finish_reason")})
            quiet = structs.replace(quiet, chunk=chunk)
        return [*pieces, quiet]

    def _chunk(self, doc: dict[str, Any], choice: dict[str, Any]) -> bytes:
        head = {name: value for name, value in doc.items() if name not in ("choices", "usage")}
        return orjson.dumps({**head, "id": self._id, "created": self._created, "choices": [choice]})


def quiet_of(piece: Piece) -> Piece:
    """What a piece costs, without what it says."""
    return Piece(text_chars=piece.text_chars, usage=piece.usage)


def whole(said: str, request: ChatRequest) -> Fault | None:
    """Why the parts together are not what was asked for, if they are not."""
    if request.response_format == "text":
        return None
    try:
        orjson.loads(said)
    except orjson.JSONDecodeError:
        return Fault("truncated", "the parts of the answer together are no valid JSON", code=MISFIT)
    return None
