"""Short ways to write chat requests."""

from typing import Any

from llm_inference_router.signals.base import extract, view
from llm_inference_router.types import ChatRequest, Message, Signals
from llm_inference_router.vocabulary import Role


def chat(*turns: tuple[Role, str], **fields: Any) -> ChatRequest:
    fields.setdefault("body", {})
    return ChatRequest(model="auto", messages=tuple(Message(role, text) for role, text in turns), **fields)


def spoken(turn: tuple[Role, str], times: int) -> list[tuple[Role, str]]:
    return [turn] * times


def ask(text: str, **fields: Any) -> ChatRequest:
    return chat(("user", text), **fields)


def signals(request: ChatRequest | str) -> Signals:
    if isinstance(request, str):
        request = ask(request)
    return extract(request, view(request))


def value(request: ChatRequest | str) -> float:
    return signals(request).complexity.value
