"""Answers of the Responses API as they are read again later: the object, and what it was an answer to."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from llm_inference_router.dialects.invalid import invalid_value
from llm_inference_router.errors import InvalidRequest
from llm_inference_router.types import Turn

_LEAST, _USUAL, _MOST = 1, 20, 100
_SHAPES: Final = {"function_call_output": "fco", "custom_tool_call_output": "cto", "computer_call_output": "cco"}


def response_of(turn: Turn) -> dict[str, Any]:
    """The response object as the client was given it."""
    return {**orjson.loads(turn.answer), "output": orjson.loads(turn.output)}


def input_items(turn: Turn, said: Sequence[Any], query: Mapping[str, str]) -> dict[str, Any]:
    """A page of what the request said, items like those of `turn.input`, newest first unless `order` is `asc`. What
    came before it, by `previous_response_id`, belongs to the answers before. Raises InvalidRequest for a query that
    cannot be read.
    """
    found = [_item(item, f"{turn.id.removeprefix('resp_')}_{at}") for at, item in enumerate(said)]
    order, limit, after = query.get("order", "desc"), _limit(query.get("limit")), query.get("after")
    if order not in ("asc", "desc"):
        raise invalid_value("order", order, "'asc' and 'desc'")
    if order == "desc":
        found.reverse()
    if after:
        place = next((at for at, item in enumerate(found) if item["id"] == after), None)
        if place is None:
            raise InvalidRequest(
                f"There is no input item {after!r} of this answer.", param="after", code="invalid_value"
            )
        found = found[place + 1 :]
    return _page(found[:limit], more=len(found) > limit)


def _page(items: Sequence[Mapping[str, Any]], *, more: bool) -> dict[str, Any]:
    first, last = (items[0]["id"], items[-1]["id"]) if items else (None, None)
    return {"object": "list", "data": items, "first_id": first, "last_id": last, "has_more": more}


def _limit(text: str | None) -> int:
    if text is None:
        return _USUAL
    if not text.isascii() or not text.isdigit() or not _LEAST <= int(text[:9]) <= _MOST:
        raise InvalidRequest(f"Invalid 'limit': a number from {_LEAST} to {_MOST} is expected.", param="limit")
    return int(text)


def _item(item: Any, name: str) -> dict[str, Any]:
    """An item as the official client reads it back: with an id, and a message's text as a part."""
    if "role" in item and item.get("type", "message") == "message":
        content = item.get("content")
        if isinstance(content, str):
            kind = "output_text" if item["role"] == "assistant" else "input_text"
            part: dict[str, Any] = {"type": kind, "text": content} | (
                {"annotations": []} if kind == "output_text" else {}
            )
            item = {**item, "content": [part]}
        return {"id": f"msg_{name}", "type": "message", "status": "completed", **item}
    if isinstance(item.get("id"), str):
        return dict(item)
    return {"status": "completed", **item, "id": f"{_SHAPES.get(str(item.get('type')), 'item')}_{name}"}
