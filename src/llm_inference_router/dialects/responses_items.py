"""The output of a response while it grows: deltas of chat in, items of OpenAI's Responses and their events out.

One item after the other is said (reasoning, a message). Calls of tools grow beside each other until the end, since chat
may send their arguments in turns. The call of a custom tool that came as one of a function gets its text at the end. A
whole answer goes through here as one delta: it is what a stream would give.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from llm_inference_router.dialects.custom import text_of
from llm_inference_router.dialects.responses_input import REDACTED

Event: TypeAlias = tuple[str, dict[str, Any]]
"""Its type, and its fields but for the type and the sequence number."""

_FIELD: Final = {"output_text": "text", "refusal": "refusal", "reasoning_text": "text"}
_DELTA: Final = {
    "output_text": "response.output_text",
    "refusal": "response.refusal",
    "reasoning_text": "response.reasoning_text",
}


class _Part:
    """A content part that is being said."""

    __slots__ = ("annotations", "kind", "logprobs", "texts", "where")

    def __init__(self, kind: str, where: dict[str, Any]) -> None:
        self.kind = kind
        self.where = where
        self.texts: list[str] = []
        self.logprobs: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []

    def value(self) -> dict[str, Any]:
        part: dict[str, Any] = {"type": self.kind, _FIELD[self.kind]: "".join(self.texts)}
        if self.kind == "output_text":
            part |= {"annotations": list(self.annotations), "logprobs": list(self.logprobs)}
        return part


_FUNCTION: Final = ("function_call", "fc", "arguments", "response.function_call_arguments")
_CUSTOM: Final = ("custom_tool_call", "ctc", "input", "response.custom_tool_call_input")


class _Call:
    """A call whose arguments still grow. `place` -1: it has no name yet; `wrapped`: its text is a field of them."""

    __slots__ = ("id", "kind", "name", "place", "texts", "wrapped")

    def __init__(self, id: str) -> None:  # noqa: A002 - the wire's name
        self.id = id
        self.kind = _FUNCTION
        self.wrapped = False
        self.name = ""
        self.place = -1
        self.texts: list[str] = []


class Items:
    """`output` are the items so far; `stem` makes their ids; `custom` are the tools that are called with free text."""

    def __init__(self, stem: str, custom: frozenset[str] = frozenset()) -> None:
        self.custom = custom
        self.output: list[dict[str, Any]] = []
        self.refused = False
        self._stem = stem
        self._open = -1  # place of the item that is being said
        self._part: _Part | None = None
        self._calls: dict[int, _Call] = {}

    @classmethod
    def opened(cls, stem: str, output: list[dict[str, Any]], place: int, said: str | None) -> "Items":
        """Items of which the one at `place` (-1: none) is still being said; `said`: the text of its last part, where
        that is not closed."""
        items = cls(stem)
        items.output, items._open = output, place
        if place >= 0 and said is not None:
            item = output[place]
            where = {"item_id": item["id"], "output_index": place, "content_index": len(item["content"])}
            items._part = _Part("output_text", where)
            items._part.texts.append(said)
        return items

    @property
    def resumable(self) -> bool:
        """Whether more text may follow as it is: no call has begun, and the model has not refused."""
        return not self._calls and not self.refused

    def delta(self, delta: Mapping[str, Any], logprobs: Any = None) -> Iterator[Event]:
        """What the delta of a choice adds. The events are to be used one by one, before the next is asked for."""
        blocks = [one for one in delta.get("thinking_blocks") or () if isinstance(one, dict)]
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if thought:
            yield from self._say("reasoning", "reasoning_text", thought)
        for block in blocks:
            yield from self._thinking(block)
        if delta.get("content"):
            yield from self._say("message", "output_text", delta["content"], _tokens(logprobs, "content"))
        if delta.get("annotations"):
            yield from self._annotate(delta["annotations"])
        if delta.get("refusal"):
            self.refused = True
            yield from self._say("message", "refusal", delta["refusal"])
        for number, call in enumerate(delta.get("tool_calls") or ()):
            yield from self._call(call, call.get("index", number))

    def message(self, message: Mapping[str, Any], logprobs: Any = None) -> Iterator[Event]:
        """A whole message: each block of reasoning with the text that it signs."""
        blocks = [one for one in message.get("thinking_blocks") or () if isinstance(one, dict)]
        for block in blocks:
            yield from self.delta({"reasoning_content": block.get("thinking"), "thinking_blocks": [block]})
        names = {"thinking_blocks", *(("reasoning_content", "reasoning") if blocks else ())}
        yield from self.delta({name: value for name, value in message.items() if name not in names}, logprobs)

    def close(self, status: str) -> Iterator[Event]:
        """The answer ended. An answer without any item is an empty message."""
        if not self.output:
            yield from self._begin("message")
            yield from self._begin_part("output_text")
        yield from self._end(status)
        for call in self._calls.values():
            if call.place >= 0:
                yield from self._end_call(call, status)
        self._calls.clear()

    def broken(self) -> list[dict[str, Any]]:
        """The items of an answer that broke, as far as they came."""
        for _ in self.close("incomplete") if self.output else ():
            pass
        return self.output

    # --- what is said one after the other ---------------------------------------------------------------------------

    def _say(self, kind: str, part: str, text: str, tokens: list[dict[str, Any]] | None = None) -> Iterator[Event]:
        if self._open < 0 or self.output[self._open]["type"] != kind:
            yield from self._end("completed")
            yield from self._begin(kind)
        if self._part is None or self._part.kind != part:
            yield from self._end_part()
            yield from self._begin_part(part)
        said = self._part
        assert said is not None
        said.texts.append(text)
        fields = {**said.where, "delta": text}
        if part == "output_text":
            said.logprobs += tokens or ()
            fields["logprobs"] = tokens or []
        yield _DELTA[part] + ".delta", fields

    def _begin(self, kind: str) -> Iterator[Event]:
        place = self._open = len(self.output)
        item: dict[str, Any]
        if kind == "message":
            item = {"id": f"msg_{self._stem}_{place}", "type": kind, "status": "in_progress", "role": "assistant"}
        else:
            item = {"id": f"rs_{self._stem}_{place}", "type": kind, "status": "in_progress", "summary": []}
        item["content"] = []
        self.output.append(item)
        yield "response.output_item.added", {"output_index": place, "item": item}

    def _begin_part(self, kind: str) -> Iterator[Event]:
        item = self.output[self._open]
        where = {"item_id": item["id"], "output_index": self._open, "content_index": len(item["content"])}
        self._part = _Part(kind, where)
        yield "response.content_part.added", {**where, "part": self._part.value()}

    def _end_part(self) -> Iterator[Event]:
        part, self._part = self._part, None
        if part is None:
            return
        value = part.value()
        field = _FIELD[part.kind]
        done = {**part.where, field: value[field]}
        if part.kind == "output_text":
            done["logprobs"] = value["logprobs"]
        yield _DELTA[part.kind] + ".done", done
        yield "response.content_part.done", {**part.where, "part": value}
        self.output[self._open]["content"].append(value)

    def _end(self, status: str, **more: Any) -> Iterator[Event]:
        """Closes the item that is being said."""
        if self._open < 0:
            return
        yield from self._end_part()
        place, self._open = self._open, -1
        self.output[place] |= {"status": status, **more}
        yield "response.output_item.done", {"output_index": place, "item": self.output[place]}

    def _thinking(self, block: Mapping[str, Any]) -> Iterator[Event]:
        """A block of reasoning of Anthropic's: what is opaque in it closes the item and goes with it."""
        if block.get("type") == "redacted_thinking":
            yield from self._end("completed")
            yield from self._begin("reasoning")
            yield from self._end("completed", encrypted_content=f"{REDACTED}{block.get('data') or ''}")
            return
        reasons = self._open >= 0 and self.output[self._open]["type"] == "reasoning"
        if block.get("thinking") and not reasons:
            yield from self._say("reasoning", "reasoning_text", block["thinking"])
            reasons = True
        if block.get("signature"):
            if not reasons:
                yield from self._end("completed")
                yield from self._begin("reasoning")
            yield from self._end("completed", encrypted_content=block["signature"])

    def _annotate(self, raw: Any) -> Iterator[Event]:
        for annotation in raw:
            cited = annotation.get("url_citation") if isinstance(annotation, dict) else None
            if not isinstance(cited, dict) or self._part is None or self._part.kind != "output_text":
                continue
            known = {
                "type": "url_citation",
                "start_index": _whole(cited.get("start_index")),
                "end_index": _whole(cited.get("end_index")),
                "title": str(cited.get("title") or ""),
                "url": str(cited.get("url") or ""),
            }
            place = len(self._part.annotations)
            self._part.annotations.append(known)
            fields = {**self._part.where, "annotation_index": place, "annotation": known}
            yield "response.output_text.annotation.added", fields

    # --- what grows beside it -----------------------------------------------------------------------------------------

    def _call(self, raw: Mapping[str, Any], index: int) -> Iterator[Event]:
        custom = raw.get("custom")
        given = custom if isinstance(custom, dict) else raw.get("function") or {}
        call = self._calls.get(index)
        if call is None:
            call = self._calls[index] = _Call(raw.get("id") or f"call_{self._stem}_{index}")
        if call.place < 0 and given.get("name"):
            call.name = given["name"]
            call.wrapped = given is not custom and call.name in self.custom
            call.kind = _CUSTOM if given is custom or call.wrapped else _FUNCTION
            yield from self._begin_call(call)
        text = given.get("input" if given is custom else "arguments")
        if text:
            call.texts.append(text)
            if call.place >= 0 and not call.wrapped:
                yield self._argued(call, text)

    def _begin_call(self, call: _Call) -> Iterator[Event]:
        yield from self._end("completed")
        kind, prefix, field, _ = call.kind
        call.place = len(self.output)
        item = {
            "id": f"{prefix}_{self._stem}_{call.place}",
            "type": kind,
            "status": "in_progress",
            "call_id": call.id,
            "name": call.name,
            field: "",
        }
        self.output.append(item)
        yield "response.output_item.added", {"output_index": call.place, "item": item}
        for text in () if call.wrapped else list(call.texts):  # that came before the name
            yield self._argued(call, text)

    def _argued(self, call: _Call, text: str) -> Event:
        where = {"item_id": self.output[call.place]["id"], "output_index": call.place}
        return call.kind[3] + ".delta", {**where, "delta": text}

    def _end_call(self, call: _Call, status: str) -> Iterator[Event]:
        kind, _, field, event = call.kind
        said = "".join(call.texts)
        if call.wrapped:
            said = text_of(said)
            if said:
                yield self._argued(call, said)
        elif kind == "function_call" and not said.strip() and status == "completed":
            said += "{}"  # a call without arguments; clients read them as JSON
            yield self._argued(call, "{}")
        item = self.output[call.place]
        item |= {"status": status, field: said}
        done = {"item_id": item["id"], "output_index": call.place, field: said}
        yield event + ".done", {**done, "name": item["name"]} if call.kind is _FUNCTION else done
        yield "response.output_item.done", {"output_index": call.place, "item": item}


def _tokens(logprobs: Any, field: str) -> list[dict[str, Any]]:
    tokens = logprobs.get(field) if isinstance(logprobs, dict) else None
    return [_token(one) | {"top_logprobs": [_token(top) for top in one["top_logprobs"]]} for one in tokens or ()]


def _token(raw: Mapping[str, Any]) -> dict[str, Any]:
    given = raw.get("bytes")
    spelled = given if isinstance(given, list) else list(raw["token"].encode())
    return {"token": raw["token"], "logprob": raw["logprob"], "bytes": spelled}


def _whole(value: Any) -> int:
    return value if type(value) is int else 0
