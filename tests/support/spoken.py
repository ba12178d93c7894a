"""What clients ask and are told, in each dialect that they speak."""

from typing import Any

from openai.types import Completion

from tests.serving.messages import judge, named_events
from tests.serving.router import Answer, events
from tests.support.responses import body, checked, sent

DIALECTS = ("chat", "messages", "responses", "completions")
_PATHS = {
    "chat": "/v1/chat/completions",
    "messages": "/v1/messages",
    "responses": "/v1/responses",
    "completions": "/v1/completions",
}


def wished(speaks: str, text: str, tokens: int) -> tuple[str, dict[str, Any]]:
    """The path of a request and what stands in it beside its model: this text, to be answered in so many tokens."""
    path = _PATHS[speaks]
    if speaks == "responses":
        return path, {"input": text, "max_output_tokens": tokens}
    if speaks == "completions":
        return path, {"prompt": text, "max_tokens": tokens}
    return path, {"messages": [{"role": "user", "content": text}], "max_tokens": tokens}


def told(answer: Answer) -> list[Any]:
    """The JSON of an answer, or of its events; the end marker as the string it is."""
    if answer.headers["content-type"].startswith("application/json"):
        return [answer.json()]
    return named_events(answer.body) if answer.body.startswith(b"event: ") else events(answer)


def said(answer: Answer) -> str:
    words = []
    if answer.body.startswith(b"event: response."):
        return "".join(one["delta"] for one in told(answer) if one["type"] == "response.output_text.delta")
    for one in told(answer):
        if isinstance(one, dict):
            messages = [one, *(one.get("output") or ())]
            words += [block["text"] for message in messages for block in message.get("content") or ()]
            words += [one["delta"].get("text") or ""] if "delta" in one else []
            words += [worded(choice) for choice in one.get("choices", ())]
    return "".join(words)


def worded(choice: dict[str, Any]) -> str:
    if "text" in choice:
        return str(choice["text"])
    return (choice.get("message") or choice["delta"]).get("content") or ""


def problem(answer: Answer) -> dict[str, Any] | None:
    """The error of an answer, or of its last event."""
    found = told(answer)[-1]
    if isinstance(found, dict) and found.get("type") == "response.failed":
        found = told(answer)[-2]  # the failed response repeats it in words of its own
    return found.get("error") if isinstance(found, dict) else None


def ended(answer: Answer) -> bool:
    """Whether it calls itself whole; nobody has judged it."""
    last = told(answer)[-1]
    if not isinstance(last, dict):
        return bool(last == "[DONE]")
    if answer.headers["content-type"].startswith("application/json"):
        return "choices" in last or last.get("stop_reason") is not None or last.get("status") == "completed"
    return last.get("type") in ("message_stop", "response.completed")


def is_whole(answer: Answer, stream: bool) -> bool:
    """It calls itself whole, and the official clients' types take it where they differ from chat's."""
    last = told(answer)[-1]
    if not stream:
        if last.get("object") == "response":
            return bool(body(answer.body)["status"] == "completed")
        if last.get("object") == "text_completion":
            return Completion.model_validate_json(answer.body, strict=True).choices[0].finish_reason == "stop"
        return "choices" in last or judge(last).stop_reason is not None
    if last == "[DONE]" or last == {"type": "message_stop"}:
        return True
    return bool(checked(sent(answer.body))["status"] == "completed")
