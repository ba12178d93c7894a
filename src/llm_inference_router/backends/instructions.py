"""Instructions of the operator in the middle of a conversation, for models that take none there.

OpenAI, and Claude models since Opus 4.8, take a message of the role `system` among the others. Elsewhere a model or the
template of its prompts refuses it. It stays in its place all the same, as words in the user's turn that say whose they
are: at the front it would change the beginning of every later request, and no cache would know the prompt again.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

NOTE: Final = "Note by the operator, not by the user:\n"
OPERATOR: Final = frozenset({"system", "developer"})


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
    """Messages of chat with one of the system at most, the first; None where there are no others. What stands in front
    becomes the same whatever follows it.
    """
    front = next((number for number, one in enumerate(messages) if one["role"] not in OPERATOR), len(messages))
    if front < 2 and not any(message["role"] in OPERATOR for message in messages[front:]):
        return None
    made = [messages[0]] if front == 1 else [_joined(messages[:front])] if front else []
    held: list[dict[str, Any]] = []  # until the user speaks: the results of calls come first
    for message in messages[front:]:
        role = message["role"]
        if role in OPERATOR:
            held += _notes(message["content"])
            if made and made[-1]["role"] == "user":
                made[-1], held = {**made[-1], "content": _ended(made[-1]["content"], held)}, []
            continue
        if held and role == "user":
            message, held = {**message, "content": _ended(message["content"], held)}, []
        elif held and role != "tool":
            made.append({"role": "user", "content": _ended("", held)})
            held = []
        made.append(message)
    if held:
        made.append({"role": "user", "content": _ended("", held)})
    return made


def _joined(messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    contents = [message["content"] for message in messages]
    if all(isinstance(content, str) for content in contents):
        return {"role": "system", "content": "\n\n".join(filter(None, contents))}
    return {"role": "system", "content": [part for content in contents if content for part in _blocks(content)]}


def _notes(content: Any) -> list[dict[str, Any]]:
    """The parts of chat that say a note: its words as one, and then what they show."""
    parts = _blocks(content)
    said = "\n\n".join(text for part in parts if (text := part.get("text") or part.get("refusal") or ""))
    shown = [part for part in parts if part["type"] not in ("text", "refusal")]
    return [{"type": "text", "text": NOTE + said}, *shown] if said.strip() or shown else []


def _ended(content: Any, notes: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """What a user says, with notes at its end."""
    if isinstance(content, str) and all(note["type"] == "text" for note in notes):
        return "\n\n".join(filter(None, [content, *(note["text"] for note in notes)]))
    return [*(_blocks(content) if content else ()), *notes]


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
