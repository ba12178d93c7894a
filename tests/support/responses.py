"""Streams and bodies of the Responses API under the official client's strict types, and what a client makes of them."""

from typing import Any

import orjson
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
FIELDS = {"output_text": "text", "refusal": "refusal", "reasoning_text": "text"}


def sent(stream: bytes) -> list[dict[str, Any]]:
    """The events of a stream: each valid for the client, named as its type says, numbered without a gap."""
    frames = [frame for frame in stream.split(b"\n\n") if not frame.startswith(b": ")]  # comments
    assert frames.pop() == b""
    found = []
    for number, frame in enumerate(frames):
        name, _, data = frame.partition(b"\n")
        event = orjson.loads(data.removeprefix(b"data: "))
        assert name == b"event: " + event["type"].encode()
        assert event["sequence_number"] == number
        valid(event)
        found.append(event)
    return found


def valid(event: dict[str, Any]) -> None:
    """An event that the client's strict types take."""
    _EVENT.validate_json(orjson.dumps(event), strict=True)


def body(raw: bytes) -> dict[str, Any]:
    """A response object that the client's strict types take."""
    Response.model_validate_json(raw, strict=True)
    doc: dict[str, Any] = orjson.loads(raw)
    return doc


def accumulated(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The items as a client builds them up from deltas alone, closed by nothing but their own `done` events; every
    `done` that repeats what deltas said is compared with them."""
    items: list[dict[str, Any]] = []
    for event in events:
        kind = event["type"]
        if kind == "response.output_item.added":
            assert event["output_index"] == len(items)
            items.append({**event["item"], **({"content": []} if "content" in event["item"] else {})})
            continue
        if "output_index" not in event:
            continue
        item = items[event["output_index"]]
        assert event.get("item_id", item["id"]) == item["id"]
        assert item["status"] == "in_progress", "nothing follows an item's end"
        if kind == "response.content_part.added":
            assert event["content_index"] == len(item["content"])
            item["content"].append(orjson.loads(orjson.dumps(event["part"])))
        elif kind == "response.function_call_arguments.delta":
            item["arguments"] += event["delta"]
        elif kind == "response.function_call_arguments.done":
            assert event["arguments"] == item["arguments"]
        elif kind == "response.custom_tool_call_input.delta":
            item["input"] += event["delta"]
        elif kind == "response.custom_tool_call_input.done":
            assert event["input"] == item["input"]
        elif kind == "response.output_item.done":
            if "content" in item:
                assert event["item"]["content"] == item["content"]
            for grown in ("arguments", "input"):
                assert event["item"].get(grown) == item.get(grown)
            items[event["output_index"]] = event["item"]
        elif kind == "response.output_text.annotation.added":
            item["content"][event["content_index"]]["annotations"].append(event["annotation"])
        else:
            part = item["content"][event["content_index"]]
            field = FIELDS[part["type"]]
            if kind.endswith(".delta"):
                part[field] += event["delta"]
                if part["type"] == "output_text":
                    part["logprobs"] = [*(part.get("logprobs") or ()), *event["logprobs"]]
            elif kind == "response.content_part.done":
                assert event["part"] == part
            else:
                assert event[field] == part[field]
                assert event.get("logprobs", []) == part.get("logprobs", [])
    return items


def checked(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The final response object of a complete stream: it is what was streamed."""
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    assert events[-1]["type"] in ("response.completed", "response.incomplete")
    final: dict[str, Any] = events[-1]["response"]
    assert final["output"] == accumulated(events)
    assert f"response.{final['status']}" == events[-1]["type"]
    assert all(item["status"] == "completed" for item in final["output"]) or final["status"] == "incomplete"
    assert len({event["response"]["id"] for event in events if "response" in event}) == 1
    return final
