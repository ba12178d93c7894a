"""What OpenAI's official client expects of the parts of an answer, items, parts and events, as far as it knows them.

What can be told from elsewhere is filled in, in place. What cannot is wrong, and said so: a text that is none would end
the client. Kinds and fields that are not known here pass as they came.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from llm_inference_router.backends.base import Rendering
from llm_inference_router.dialects.signature import tag

Fields: TypeAlias = Mapping[str, type]

_STATUSES: Final = frozenset({"in_progress", "completed", "incomplete"})
_PREFIXES: Final = {"message": "msg", "reasoning": "rs", "function_call": "fc", "custom_tool_call": "ctc"}
_PARTS: Final[Mapping[str, Fields]] = {
    "output_text": {"text": str},
    "refusal": {"refusal": str},
    "reasoning_text": {"text": str},
    "summary_text": {"text": str},
}
_ITEMS: Final[Mapping[str, Fields]] = {
    "message": {},
    "reasoning": {},
    "function_call": {"call_id": str, "name": str, "arguments": str},
    "custom_tool_call": {"call_id": str, "name": str, "input": str},
}
_ANNOTATIONS: Final[Mapping[str, Fields]] = {
    "file_citation": {"file_id": str, "filename": str, "index": int},
    "url_citation": {"start_index": int, "end_index": int, "title": str, "url": str},
    "container_file_citation": {
        **dict.fromkeys(("container_id", "file_id", "filename"), str),
        **dict.fromkeys(("start_index", "end_index"), int),
    },
    "file_path": {"file_id": str, "index": int},
}
_AT: Final[Fields] = {"output_index": int, "item_id": str}
_IN_PART: Final[Fields] = {**_AT, "content_index": int}
_IN_SUMMARY: Final[Fields] = {**_AT, "summary_index": int}
_EVENTS: Final[Mapping[str, Fields]] = {
    **{f"output_item.{step}": {"output_index": int, "item": dict} for step in ("added", "done")},
    **{f"content_part.{step}": {**_IN_PART, "part": dict} for step in ("added", "done")},
    **{f"reasoning_summary_part.{step}": {**_IN_SUMMARY, "part": dict} for step in ("added", "done")},
    **{f"{said}.delta": {**_IN_PART, "delta": str} for said in ("output_text", "refusal", "reasoning_text")},
    "output_text.done": {**_IN_PART, "text": str},
    "refusal.done": {**_IN_PART, "refusal": str},
    "reasoning_text.done": {**_IN_PART, "text": str},
    "reasoning_summary_text.delta": {**_IN_SUMMARY, "delta": str},
    "reasoning_summary_text.done": {**_IN_SUMMARY, "text": str},
    "output_text.annotation.added": {**_IN_PART, "annotation_index": int, "annotation": dict},
    **{
        f"{call}.delta": {**_AT, "delta": str}
        for call in (
            *("function_call_arguments", "custom_tool_call_input", "mcp_call_arguments"),
            "code_interpreter_call_code",
        )
    },
    "function_call_arguments.done": {**_AT, "arguments": str},
    "custom_tool_call_input.done": {**_AT, "input": str},
    "mcp_call_arguments.done": {**_AT, "arguments": str},
    "code_interpreter_call_code.done": {**_AT, "code": str},
    "image_generation_call.partial_image": {**_AT, "partial_image_index": int, "partial_image_b64": str},
    **{
        f"{tool}.{state}": _AT
        for tool, states in {
            "code_interpreter_call": ("in_progress", "interpreting", "completed"),
            "file_search_call": ("in_progress", "searching", "completed"),
            "web_search_call": ("in_progress", "searching", "completed"),
            "image_generation_call": ("in_progress", "generating", "completed"),
            "mcp_call": ("in_progress", "completed", "failed"),
            "mcp_list_tools": ("in_progress", "completed", "failed"),
        }.items()
        for state in states
    },
    **{f"{heard}.delta": {"delta": str} for heard in ("audio", "audio.transcript")},
}
EVENTS: Final[Mapping[str, Fields]] = {f"response.{name}": fields for name, fields in _EVENTS.items()}
# What later events refer to: a client that has not been told of it cannot read them.
BEGINNINGS: Final = frozenset(
    {
        *("response.created", "response.output_item.added", "response.content_part.added"),
        "response.reasoning_summary_part.added",
    }
)
LOGPROBS: Final = frozenset({"response.output_text.delta", "response.output_text.done"})


class Items:
    """The items of one answer, made valid one by one. An id that the upstream left out is the same in all events."""

    __slots__ = ("_ids", "_rendering")

    def __init__(self, rendering: Rendering) -> None:
        self._rendering = rendering
        self._ids: dict[int, str] = {}

    def event(self, kind: str, doc: dict[str, Any]) -> str:
        """What is wrong with an event of this kind; nothing, and it is valid, where that is empty."""
        fields = EVENTS.get(kind)
        if fields is None:
            self._unknown(doc)
            return ""
        place = doc.get("output_index")
        if "item_id" in fields and type(place) is int and not _named(doc, "item_id"):
            doc["item_id"] = self._id(place, "")
        wrong = _wrong(doc, fields)
        if wrong:
            return f"an event {kind} {wrong}"
        if kind in LOGPROBS:
            doc["logprobs"] = _logprobs(doc.get("logprobs"))
        if "part" in fields:
            wrong = part(doc["part"])
        elif "annotation" in fields:
            wrong = "" if _cites(doc["annotation"]) else "a citation that is none"
        elif "item" in fields:
            wrong = self.item(doc["item"], doc["output_index"], "in_progress" if kind in BEGINNINGS else "completed")
        return wrong and f"an event {kind} with {wrong}"

    def item(self, item: dict[str, Any], place: int, status: str) -> str:
        """What is wrong with an item of the output. `status`: what a message has that says none."""
        sealed = item.get("encrypted_content")
        if isinstance(sealed, str) and sealed:  # only its maker can read it
            item["encrypted_content"] = tag(sealed, self._rendering.provider)
        if not _named(item, "type"):
            return "an item without a type"
        kind = item["type"]
        fields = _ITEMS.get(kind)
        if _named(item, "id"):
            self._ids[place] = item["id"]
        else:
            item["id"] = self._id(place, kind)
        if fields is None:
            return ""
        wrong = _wrong(item, fields)
        if wrong:
            return f"an item {kind} {wrong}"
        if item.get("status") not in (*_STATUSES, None) or (kind == "message" and item.get("status") is None):
            item["status"] = status
        if kind == "message":
            item["role"] = "assistant"
            return _list_of_parts(item, "content")
        if kind == "reasoning":
            if not isinstance(sealed, str | None):
                item["encrypted_content"] = None
            return _list_of_parts(item, "summary") or (
                _list_of_parts(item, "content") if item.get("content") is not None else ""
            )
        return ""

    def _unknown(self, doc: dict[str, Any]) -> None:
        """Of an event that is not known here, only what it has in common with others is filled in."""
        if isinstance(doc.get("part"), dict):
            part(doc["part"])
        if isinstance(doc.get("item"), dict):
            place = doc.get("output_index")
            self.item(doc["item"], place if type(place) is int else -1, "completed")

    def _id(self, place: int, kind: str) -> str:
        stem = self._rendering.id.removeprefix("chatcmpl-")
        return self._ids.setdefault(place, f"{_PREFIXES.get(kind, 'item')}_{stem}_{place}")


def part(found: Any) -> str:
    """What is wrong with a part of a message or of reasoning."""
    if not _named(found, "type"):
        return "a part that is none"
    kind = found["type"]
    wrong = _wrong(found, _PARTS.get(kind, {}))
    if wrong:
        return f"a part {kind} {wrong}"
    if kind == "output_text":
        cited = found.get("annotations")
        found["annotations"] = [one for one in cited if _cites(one)] if isinstance(cited, list) else []
        found["logprobs"] = _logprobs(found.get("logprobs"), whole=True)
    return ""


def _list_of_parts(item: dict[str, Any], name: str) -> str:
    if not isinstance(item.get(name), list):
        item[name] = []
    return next((wrong for one in item[name] if (wrong := part(one))), "")


def _cites(annotation: Any) -> bool:
    return _named(annotation, "type") and not _wrong(annotation, _ANNOTATIONS.get(annotation["type"], {}))


def _logprobs(tokens: Any, *, whole: bool = False) -> list[Any]:
    """Those of a list; none where one of it cannot be read, since they go by place. `whole`: as a closed part has them,
    which tells a token's bytes and lists the most likely.
    """
    if not isinstance(tokens, list) or not all(_likely(one, top=False) for one in tokens):
        return []
    if whole:
        for one in tokens:
            one["top_logprobs"] = one.get("top_logprobs") or []
            for each in (one, *one["top_logprobs"]):
                if not _bytes(each.get("bytes")):
                    each["bytes"] = list(each["token"].encode("utf-8", "replace"))
    return tokens


def _likely(token: Any, *, top: bool) -> bool:
    if not isinstance(token, dict) or type(token.get("token")) is not str:
        return False
    if type(token.get("logprob")) not in (int, float):
        return False
    listed = token.get("top_logprobs")
    return top or listed is None or (isinstance(listed, list) and all(_likely(one, top=True) for one in listed))


def _bytes(value: Any) -> bool:
    return isinstance(value, list) and all(type(one) is int for one in value)


def _named(doc: Any, name: str) -> bool:
    value = doc.get(name) if isinstance(doc, dict) else None
    return type(value) is str and value != ""


def _wrong(doc: Mapping[str, Any], fields: Fields) -> str:
    """Where a field is not of its type, or counts below nothing."""
    for name, kind in fields.items():
        value = doc.get(name)
        if type(value) is not kind or (isinstance(value, int) and value < 0):
            return f"whose {name} is none"
    return ""
