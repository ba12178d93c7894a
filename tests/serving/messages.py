"""Message streams judged: every event by the official client's types, and their order by Anthropic's rules."""

from typing import Any

import orjson
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


def named_events(data: bytes) -> list[dict[str, Any]]:
    """The events of a stream, their names checked against their data."""
    found = []
    for block in data.decode().split("\n\n"):
        if not block or block.startswith(": "):  # a comment
            continue
        name, _, line = block.partition("\n")
        assert name.startswith("event: ")
        assert line.startswith("data: ")
        assert "\n" not in line
        event = orjson.loads(line[6:])
        assert event["type"] == name[7:]
        found.append(event)
    return found


def built(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The message that a whole stream amounts to; fails where Anthropic's rules are broken."""
    assert events[0]["type"] == "message_start"
    message: dict[str, Any] = events[0]["message"]
    content: list[dict[str, Any]] = message["content"]
    assert content == []
    opened = False
    stopped = False
    partial = ""
    for event in events[:-1]:
        kind = event["type"]
        if kind != "ping":
            _EVENT.validate_json(orjson.dumps(event), strict=True)
        if kind == "content_block_start":
            assert not opened
            assert not stopped
            assert event["index"] == len(content)
            content.append(dict(event["content_block"]))
            opened, partial = True, ""
        elif kind == "content_block_delta":
            assert opened
            assert event["index"] == len(content) - 1
            delta, block = event["delta"], content[-1]
            if delta["type"] == "text_delta":
                assert block["type"] == "text"
                block["text"] += delta["text"]
            elif delta["type"] == "thinking_delta":
                assert block["type"] == "thinking"
                block["thinking"] += delta["thinking"]
            elif delta["type"] == "signature_delta":
                assert block["type"] == "thinking"
                block["signature"] = delta["signature"]
            elif delta["type"] == "input_json_delta":
                assert block["type"] == "tool_use"
                partial += delta["partial_json"]
        elif kind == "content_block_stop":
            assert opened
            assert event["index"] == len(content) - 1
            opened = False
            if partial:
                content[-1]["input"] = orjson.loads(partial)
        elif kind == "message_delta":
            assert not opened
            assert not stopped
            stopped = True
            message |= event["delta"]
            message["usage"] |= event["usage"]
        else:
            assert kind in ("message_start", "ping")
    assert stopped
    assert events[-1]["type"] == "message_stop"
    judge(message)
    return message


def judge(message: dict[str, Any]) -> Message:
    """The official client takes it as it is."""
    return Message.model_validate_json(orjson.dumps(message), strict=True)
