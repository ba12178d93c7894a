"""The turns of a conversation, from OpenAI's roles to Anthropic's.

System and developer messages become the system prompt, and between the turns one of the system's, or a note to models
that hear none: at the front it would change the beginning of a prompt that is cached. Tool results become blocks of a
user turn.
Neighbouring turns of one role are merged, the first turn is the user's, no text block is empty: all this
Anthropic asks for.
"""

import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from llm_inference_router.backends import normalise
from llm_inference_router.backends.anthropic_ids import Ids
from llm_inference_router.backends.anthropic_thinking import own_of
from llm_inference_router.backends.instructions import NOTE, OPERATOR
from llm_inference_router.dialects.custom import FREE_TEXT
from llm_inference_router.dialects.warning import unread, warning

Block = dict[str, Any]

_DATA_URL: Final = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w=.-]+)*;base64,")
_IMAGES: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_PLAIN: Final = frozenset({"role", "content"})
_TRANSLATED: Final = _PLAIN | {
    *("tool_calls", "tool_call_id", "function_call"),
    *("thinking_blocks", "cache_control", "is_error"),
}
_REASONING: Final = frozenset({"reasoning", "reasoning_content"})  # of earlier turns, which no model is shown again
_BESIDE: Final = frozenset({"annotations", "citations"})  # say where a text that is kept came from
_ALWAYS: Final = frozenset({"type", "cache_control"})
_READ: Final = {
    "text": _ALWAYS | {"text"},
    "refusal": _ALWAYS | {"refusal"},
    "image_url": _ALWAYS | {"image_url"},
    "file": _ALWAYS | {"file"},
}
_WITHIN: Final = {"image_url": frozenset({"url", "detail"}), "file": frozenset({"filename", "file_data", "file_id"})}
_HINTS: Final = frozenset({"annotations", "citations", "prompt_cache_breakpoint"})
_CALL: Final = frozenset({"id", "type", "index", "function", "custom"})
EMPTY_TEXT: Final = "(empty message)"
CONTINUED: Final = "(conversation continued)"


class Turns:
    """`provider`: whose signed reasoning may be sent; `instructed`: the model hears the system between the turns."""

    def __init__(self, provider: str = "", *, instructed: bool = False) -> None:
        self._provider = provider
        self._instructed = instructed
        self._held: list[Block] = []  # what the system says until the turn of the user is over
        self.system: list[Block] = []
        self.warnings: list[str] = []
        self._turns: list[dict[str, Any]] = []
        self._ids = Ids()

    def add(self, message: Mapping[str, Any]) -> None:
        role = message["role"]
        if not message.keys() <= _PLAIN:
            self._left_out(message)
        content = message.get("content")
        if role in OPERATOR:
            said = _marked(self._texts(content), message)
            if self._turns:
                self._held += said
            else:
                self.system += said
        elif role in ("tool", "function"):
            self._append("user", [self._result(message)])
        elif role == "assistant":
            if not self._turns or self._turns[-1]["role"] != role:
                self._ids.turn()
            refusal = message.get("refusal")
            words = content or (refusal if isinstance(refusal, str) else None)
            thoughts = message.get("thinking_blocks")
            blocks = own_of(thoughts, self._provider, self.warnings) if isinstance(thoughts, list) else []
            self._append("assistant", _marked(blocks + self._texts(words) + self._calls(message), message))
        else:
            self._append("user", _marked(self._blocks(content), message))

    def _left_out(self, message: Mapping[str, Any]) -> None:
        """Names what of a message has no counterpart."""
        for name, value in message.items():
            if not value or name in _TRANSLATED or (name == "name" and message["role"] == "function"):
                continue
            if name == "refusal" and not message.get("content"):
                continue  # it is what the turn says
            if name in _REASONING:
                if not message.get("thinking_blocks"):
                    self.warnings.append(warning("dropped", "messages.reasoning", harmless=True))
                continue
            harmless = name in _BESIDE or (name == "name" and message["role"] == "tool")
            self.warnings.append(warning("dropped", f"messages.{name}", harmless=harmless))

    def finish(self) -> list[dict[str, Any]]:
        """The turns, made acceptable."""
        turns = self._turns
        self._instruct(last=True)
        if not turns or turns[0]["role"] != "user":
            turns.insert(0, {"role": "user", "content": [{"type": "text", "text": CONTINUED}]})
            self.warnings.append(warning("added", "messages[0]"))
        last = turns[-1]
        if last["role"] == "assistant" and last["content"][-1]["type"] == "text":
            block = last["content"][-1]
            stripped = block["text"].rstrip()
            if stripped != block["text"]:
                last["content"][-1] = {**block, "text": stripped}
                self.warnings.append(warning("rewritten", "messages"))
        for turn in turns:
            blocks = turn["content"]
            if turn["role"] == "user":
                # Results come first in their turn: Anthropic looks for them right after the calls.
                blocks.sort(key=lambda block: block["type"] != "tool_result")
            if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
                turn["content"] = blocks[0]["text"]
        return turns

    def _append(self, role: str, blocks: list[Block]) -> None:
        if not blocks:
            if role == "assistant":
                return
            blocks = [{"type": "text", "text": EMPTY_TEXT}]
            self.warnings.append(warning("rewritten", "messages"))
        if self._held and (role == "assistant" or not self._instructed):
            self._instruct()
        if self._turns and self._turns[-1]["role"] == role:
            self._turns[-1]["content"] += blocks
        else:
            self._turns.append({"role": role, "content": blocks})

    def _instruct(self, *, last: bool = False) -> None:
        """The system speaks once the user has, and at the end: a turn of its own only when the user's is over."""
        turns, held = self._turns, self._held
        after = bool(turns) and turns[-1]["role"] == "user"
        if not held or not (after or last):
            return
        self._held = []
        if after and self._instructed:
            turns.append({"role": "system", "content": held})
            return
        notes = [{**block, "text": NOTE + block["text"]} for block in held]
        self.warnings.append(warning("rewritten", "messages"))
        if after:
            turns[-1]["content"] += notes
        else:
            turns.append({"role": "user", "content": notes})

    def _texts(self, content: Any) -> list[Block]:
        """The text blocks of a content that may hold nothing else."""
        blocks = self._blocks(content)
        shown = {"image": "image_url", "document": "file"}
        self.warnings += [warning("dropped", shown[kind]) for block in blocks if (kind := block["type"]) in shown]
        return [block for block in blocks if block["type"] == "text"]

    def _blocks(self, content: Any) -> list[Block]:
        if isinstance(content, str):
            return [{"type": "text", "text": content}] if content.strip() else []
        blocks: list[Block] = []
        for part in content or ():
            block = self._block(part)
            if block is None:
                continue
            if isinstance(part.get("cache_control"), dict):
                block["cache_control"] = part["cache_control"]
            blocks.append(block)
        return blocks

    def _block(self, part: Mapping[str, Any]) -> Block | None:
        kind = part["type"]
        if kind in _READ:
            self.warnings += unread(part, _READ[kind], kind, _HINTS)
        if kind in _WITHIN:
            self.warnings += unread(part[kind], _WITHIN[kind], kind)
        if kind in ("text", "refusal"):
            text = part[kind]
            return {"type": "text", "text": text} if text.strip() else None
        if kind == "image_url":
            if part["image_url"].get("detail") in ("low", "high"):
                self.warnings.append(warning("dropped", "image_url.detail", harmless=True))
            return self._image(part["image_url"]["url"])
        if kind == "file" and (document := _document(part["file"])) is not None:
            return document
        # Nothing is lost of reasoning that nobody signed: a model is not shown its own of earlier turns again.
        self.warnings.append(warning("dropped", kind, harmless=kind == "thinking" and not part.get("signature")))
        return None

    def _image(self, url: str) -> Block | None:
        match = _DATA_URL.match(url)
        if match and match[1] in _IMAGES:
            return {"type": "image", "source": _source(match, url)}
        if url.startswith(("https://", "http://")):
            return {"type": "image", "source": {"type": "url", "url": url}}
        self.warnings.append(warning("dropped", "image_url"))
        return None

    def _result(self, message: Mapping[str, Any]) -> Block:
        content = message.get("content")
        # A deprecated result has no id; what stands there has not been judged.
        call = message["tool_call_id"] if message["role"] == "tool" else _named(message)
        block: Block = {"type": "tool_result", "tool_use_id": self._ids.result(call)}
        if isinstance(content, str):
            if content:
                block["content"] = content
        else:
            inner = [b for b in self._blocks(content) if b["type"] in ("text", "image", "document")]
            if inner:
                block["content"] = inner
        if message.get("is_error") is True:
            block["is_error"] = True
        return _marked([block], message)[0]

    def _calls(self, message: Mapping[str, Any]) -> list[Block]:
        calls: Iterable[Mapping[str, Any]] = message.get("tool_calls") or ()
        blocks = []
        for call in calls:
            function = call.get("function")
            custom = call.get("custom")
            self.warnings += unread(call, _CALL, "tool_calls")
            if isinstance(function, dict):
                blocks.append(self._call(call["id"], function))
            elif isinstance(custom, dict) and isinstance(custom.get("name"), str):
                given = {FREE_TEXT: str(custom.get("input") or "")}
                blocks.append(
                    {"type": "tool_use", "id": self._ids.call(call["id"]), "name": custom["name"], "input": given}
                )
            else:
                self.warnings.append(warning("dropped", "tool_calls"))
        function = message.get("function_call")
        if isinstance(function, dict):
            blocks.append(self._call(_named(function), function))
        return blocks

    def _call(self, name: str, function: Mapping[str, Any]) -> Block:
        text = function["arguments"]
        try:
            arguments = normalise.load(text.encode()) if text.strip() else {}
        except ValueError:
            arguments = text
        if not isinstance(arguments, dict):
            arguments = {"arguments": arguments}
            self.warnings.append(warning("rewritten", "tool_calls"))
        elif arguments:
            # As the client spelt it: parsing would round numbers of more than 64 bits.
            arguments = orjson.Fragment(text)
        return {"type": "tool_use", "id": self._ids.call(name), "name": function["name"], "input": arguments}


def _marked(blocks: list[Block], message: Mapping[str, Any]) -> list[Block]:
    """The blocks of a message that marks a prefix to be cached: its last block carries the mark."""
    control = message.get("cache_control")
    if isinstance(control, dict) and blocks and blocks[-1]["type"] not in ("thinking", "redacted_thinking"):
        blocks[-1] = {"cache_control": control} | blocks[-1]
    return blocks


def _document(file: Mapping[str, Any]) -> Block | None:
    """A PDF or a plain text that the request itself holds; files kept at OpenAI are known by an id that means nothing
    elsewhere.
    """
    data = file.get("file_data")
    if not isinstance(data, str) or (match := _DATA_URL.match(data)) is None:
        return None
    if match[1] == "application/pdf":
        block: Block = {"type": "document", "source": _source(match, data)}
    elif match[1] == "text/plain":
        try:
            text = b64decode(data[match.end() :], validate=True).decode()
        except ValueError:
            return None
        block = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}}
    else:
        return None
    if isinstance(file.get("filename"), str) and file["filename"]:
        block["title"] = file["filename"]
    return block


def _source(match: re.Match[str], url: str) -> dict[str, str]:
    return {"type": "base64", "media_type": match[1], "data": url[match.end() :]}


def _named(function: Mapping[str, Any]) -> str:
    """The id of a deprecated function call and of its result, which know each other by name alone."""
    return f"call_{function.get('name', '')}"
