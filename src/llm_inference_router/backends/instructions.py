"""Instructions of the operator in the middle of a conversation, for models that take none there.

OpenAI, and Claude models since Opus 4.8, take a message of the role `system` among the others. Elsewhere a model or the
template of its prompts refuses it. It stays in its place all the same, as words in the user's turn that say whose they
are: at the front it would change the beginning of every later request, and no cache would know the prompt again.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

NOTE: Final = "Note by the operator, not by the user:\n"


def in_turns(turns: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Anthropic's turns, without those of the system."""
    made: list[dict[str, Any]] = []
    held: list[dict[str, Any]] = []  # after a turn of the assistant: the results of its calls come first
    gap = False
    for number, turn in enumerate(turns):
        if turn["role"] == "system":
            gap = True
            if not _is_over(turn, turns[number + 1 :]):
                held += _noted(turn.get("content"))
            continue
        if held and made and made[-1]["role"] == "user":
            held = _said(made, held)
        if gap and made and made[-1]["role"] == turn["role"]:
            made[-1] = {**made[-1], "content": [*_blocks(made[-1]["content"]), *_blocks(turn["content"])]}
        else:
            made.append(dict(turn))
        if held and turn["role"] == "user":
            held = _said(made, held)
        gap = False
    if held:
        _said(made, held)
    return made


def in_chat(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """Messages of chat, without those of the system but the first; None where there are no others."""
    if not any(message["role"] == "system" for message in messages[1:]):
        return None
    made = list(messages[:1])
    for message in messages[1:]:
        if message["role"] != "system":
            made.append(message)
            continue
        said = NOTE + "\n\n".join(part["text"] for part in _blocks(message["content"]))
        last = made[-1]
        if last["role"] == "user" and isinstance(last["content"], str):
            made[-1] = {**last, "content": f"{last['content']}\n\n{said}"}
        elif last["role"] == "user":
            made[-1] = {**last, "content": [*last["content"], {"type": "text", "text": said}]}
        else:
            made.append({"role": "user", "content": said})
    return made


def _said(made: list[dict[str, Any]], blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The blocks at the end of the user's turn, the last one or a new one; nothing is left of them."""
    if made and made[-1]["role"] == "user":
        made[-1] = {**made[-1], "content": [*_blocks(made[-1]["content"]), *blocks]}
    else:
        made.append({"role": "user", "content": blocks})
    return []


def _is_over(turn: Mapping[str, Any], later: Sequence[Mapping[str, Any]]) -> bool:
    """It was meant for one turn of the user's, and there is another."""
    return turn.get("clear_at") == "next_user_message" and any(one["role"] == "user" for one in later)


def _noted(content: Any) -> list[dict[str, Any]]:
    texts = [block for block in _blocks(content) if block["type"] == "text" and block["text"].strip()]
    return [{**block, "text": NOTE + block["text"]} for block in texts]


def _blocks(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content or ())
