"""Names that other providers let be longer than OpenAI does, which refuses the whole request for one of them.

Ids of calls have at most 40 characters there (vLLM makes some of 46), and a user's 64, as its published document says
of `safety_identifier` (Claude Code sends some 150). What is longer is exchanged for its digest: the same for the same
name, so that a call and its result still belong together, and a user stays one user.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from llm_inference_router.dialects.warning import warning
from llm_inference_router.vocabulary import DialectName

_USER: Final = 64
_CALL: Final = 40
_WORDS: Final[Mapping[str, str]] = {"messages": "metadata.user_id"}


def shorten(body: dict[str, Any], dialect: DialectName) -> list[str]:
    """Changes `body`, which is a copy but for its messages, in place; says what was changed, in the client's words."""
    warnings = []
    user = body.get("user")
    if isinstance(user, str) and len(user) > _USER:
        body["user"] = _short(user, _USER)
        warnings.append(warning("rewritten", _WORDS.get(dialect, "user")))
    messages = [_message(message) for message in body["messages"]]
    if any(new is not old for new, old in zip(messages, body["messages"], strict=True)):
        body["messages"] = messages
        warnings.append(warning("rewritten", "messages"))
    return warnings


def _message(message: dict[str, Any]) -> dict[str, Any]:
    calls, answered = message.get("tool_calls"), message.get("tool_call_id")
    if calls and any(len(call["id"]) > _CALL for call in calls):
        return {**message, "tool_calls": [{**call, "id": _short(call["id"], _CALL)} for call in calls]}
    if isinstance(answered, str) and len(answered) > _CALL:
        return {**message, "tool_call_id": _short(answered, _CALL)}
    return message


def _short(name: str, most: int) -> str:
    return name if len(name) <= most else sha256(name.encode()).hexdigest()[:most]
