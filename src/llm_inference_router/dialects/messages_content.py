"""Blocks of Anthropic's Messages as parts of OpenAI's chat.

| block                         | part                                                            |
|-------------------------------|-----------------------------------------------------------------|
| text                          | text                                                            |
| image: base64, url            | image_url: a data URL, the URL                                  |
| document: base64 PDF          | file with a data URL                                            |
| document: text, content, url  | text within <document>; images of its content as parts          |
| search_result                 | text within <document>                                          |
| what only Anthropic can read (files by id, server tools, containers) | none; a warning          |

`cache_control` stays on its part. Blocks of unknown kinds are for Anthropic to judge.
"""

from typing import Any, Final

from llm_inference_router.dialects.messages_invalid import text_of, unfit, unknown
from llm_inference_router.dialects.warning import unread, warning
from llm_inference_router.vocabulary import Modality

Part = dict[str, Any]

_SOURCES: Final = "'base64', 'text', 'content', 'url' or 'file'"
_ALWAYS: Final = frozenset({"type", "cache_control"})
_READ: Final = {
    "text": _ALWAYS | {"text", "citations"},
    "image": _ALWAYS | {"source"},
    "document": _ALWAYS | {"source", "title", "context", "citations"},
    "search_result": _ALWAYS | {"content", "title", "source", "citations"},
    "tool_use": _ALWAYS | {"id", "name", "input"},
    "tool_result": _ALWAYS | {"tool_use_id", "content", "is_error"},
    "thinking": _ALWAYS | {"thinking", "signature"},
    "redacted_thinking": _ALWAYS | {"data"},
}
_HINTS: Final = frozenset({"caller"})  # who asked for a call, in an answer that is sent back
_MODALITIES: Final[dict[str, Modality]] = {"image_url": "image", "file": "file"}


class Content:
    """The parts of one content, in order. `warnings` gets what has no counterpart."""

    __slots__ = ("_warnings", "attachments", "parts", "texts")

    def __init__(self, warnings: list[str]) -> None:
        self._warnings = warnings
        self.parts: list[Part] = []
        self.texts: list[str] = []
        self.attachments: list[Modality] = []

    @property
    def text(self) -> str:
        return "\n".join(self.texts)

    def value(self) -> str | list[Part]:
        """As a chat message has it: a plain string where one text is all there is."""
        if not self.parts:
            return ""
        if len(self.parts) == 1 and self.parts[0].keys() == {"type", "text"}:
            text: str = self.parts[0]["text"]
            return text
        return self.parts

    def read(self, content: Any, place: str) -> None:
        """A string, or an array of blocks of which each has a part."""
        if type(content) is str:
            self.say(content)
            return
        if type(content) is not list:
            raise unfit(place, "a valid string or a valid array", content)
        for number, raw in enumerate(content):
            where = f"{place}.{number}"
            self.add(checked(raw, where), where)

    def add(self, block: dict[str, Any], place: str) -> None:
        self.unread(block)
        kind = block["type"]
        if kind == "text":
            self.say(text_of(block, "text", place), block)
            if block.get("citations"):  # of an earlier answer; its words are kept
                self._warnings.append(warning("dropped", "text.citations", harmless=True))
        elif kind == "image":
            self._image(block, place)
        elif kind == "document":
            self._document(block, place)
        elif kind == "search_result":
            inner = self._inner(block.get("content"), f"{place}.content")
            title, source = text_of(block, "title", place), text_of(block, "source", place)
            self.say(_quoted(inner.text, title=title, source=source), block)
            self._uncited(block)
        else:
            self._warnings.append(warning("dropped", "messages.content"))

    def unread(self, block: dict[str, Any]) -> None:
        """Names the fields of a block that have no counterpart."""
        if (known := _READ.get(block["type"])) is not None:
            self._warnings += unread(block, known, block["type"], _HINTS)

    def say(self, text: str, block: dict[str, Any] | None = None) -> None:
        if not text and self.parts:
            return
        self.texts.append(text)
        self._put({"type": "text", "text": text}, block)

    def _put(self, part: Part, block: dict[str, Any] | None) -> None:
        control = block.get("cache_control") if block else None
        if type(control) is dict:
            part["cache_control"] = control
        if part["type"] in _MODALITIES:
            self.attachments.append(_MODALITIES[part["type"]])
        self.parts.append(part)

    def _image(self, block: dict[str, Any], place: str) -> None:
        source, kind = _source(block, place)
        place += ".source"
        if kind == "base64":
            url = f"data:{text_of(source, 'media_type', place)};base64,{text_of(source, 'data', place)}"
        elif kind == "url":
            url = text_of(source, "url", place)
        elif kind == "file":
            self._warnings.append(warning("dropped", "messages.content"))
            return
        else:
            raise unknown(f"{place}.type", kind, "'base64', 'url' or 'file'")
        self._put({"type": "image_url", "image_url": {"url": url}}, block)

    def _document(self, block: dict[str, Any], place: str) -> None:
        source, kind = _source(block, place)
        place += ".source"
        self._uncited(block)
        if block.get("context"):
            self._warnings.append(warning("dropped", "document.context"))
        title = block.get("title")
        named = title if type(title) is str else ""
        if kind == "base64":
            data = f"data:{text_of(source, 'media_type', place)};base64,{text_of(source, 'data', place)}"
            self._put({"type": "file", "file": {"filename": named or "document.pdf", "file_data": data}}, block)
        elif kind == "text":
            self.say(_quoted(text_of(source, "data", place), title=named), block)
        elif kind == "content":
            inner = self._inner(source.get("content"), f"{place}.content")
            self.say(_quoted(inner.text, title=named), block)
            for part in inner.parts:
                if part["type"] != "text":
                    self._put(part, None)
        elif kind == "url":
            # Chat has no file by its address: the model is told of it, and may have a tool that reads it.
            self.say(_quoted("", title=named, url=text_of(source, "url", place)), block)
            self._warnings.append(warning("weakened", "messages.content"))
        elif kind == "file":
            self._warnings.append(warning("dropped", "messages.content"))
        else:
            raise unknown(f"{place}.type", kind, _SOURCES)

    def _uncited(self, block: dict[str, Any]) -> None:
        """Only Anthropic makes citations of a source: elsewhere the answer comes without."""
        wanted = block.get("citations")
        if type(wanted) is dict and wanted.get("enabled"):
            self._warnings.append(warning("dropped", f"{block['type']}.citations"))

    def _inner(self, content: Any, place: str) -> "Content":
        inner = Content(self._warnings)
        inner.read(content, place)
        return inner


def checked(raw: Any, place: str) -> dict[str, Any]:
    """A block: an object that names its type."""
    if type(raw) is not dict:
        raise unfit(place, "a valid object", raw)
    text_of(raw, "type", place)
    return raw


def _source(block: dict[str, Any], place: str) -> tuple[dict[str, Any], str]:
    source = block.get("source")
    if type(source) is not dict:
        raise unfit(f"{place}.source", "a valid object", source)
    return source, text_of(source, "type", f"{place}.source")


def _quoted(text: str, **attributes: str) -> str:
    """Quoted text: signals take it for context, not for the question."""
    shown = "".join(f' {name}="{_escaped(value)}"' for name, value in attributes.items() if value)
    return f"<document{shown}>\n{text}\n</document>"


def _escaped(value: str) -> str:
    return " ".join(value.replace('"', "'").replace("<", "(").replace(">", ")").split())
