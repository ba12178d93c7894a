"""The requests that `llm-router route` decides on: one prompt, or the lines of a file."""

import sys
from pathlib import Path
from typing import Any

import click
import orjson
from msgspec import Struct


class Question(Struct, frozen=True):
    """One request to decide on. `place` says where it came from, for errors."""

    place: str
    body: bytes
    shown: str


def single(text: str | None, model: str | None) -> Question:
    """The prompt itself, or standard input where it is `-` or missing."""
    if text == "-" or (text is None and not sys.stdin.isatty()):
        text = sys.stdin.read()
    # Bytes that are no UTF-8 arrive as lone surrogates, which JSON cannot hold.
    text = (text or "").encode("utf-8", "replace").decode()
    if not text.strip():
        raise click.UsageError("give a prompt, - to read one from standard input, or @FILE.jsonl")
    return _question("the prompt", {"messages": [{"role": "user", "content": text}]}, model, text)


def lines(file: Path, model: str | None) -> list[Question]:
    """One question a line, empty lines skipped. The first line that is none is named with its number."""
    try:
        found = file.read_bytes().splitlines()
    except OSError as error:
        raise click.UsageError(f"{file}: {error.strerror}") from error
    questions = []
    for number, line in enumerate(found, start=1):
        if not line.strip():
            continue
        place = f"{file}:{number}"
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise click.UsageError(f"{place}: not JSON: {error}") from error
        if not isinstance(value, dict) or not ({"prompt", "messages"} & value.keys()):
            raise click.UsageError(f'{place}: wants an object with "prompt" or "messages"')
        questions.append(_parsed(place, value, model))
    if not questions:
        raise click.UsageError(f"{file}: has no lines")
    return questions


def _parsed(place: str, value: dict[str, Any], model: str | None) -> Question:
    if "messages" in value:
        return _question(place, value, model, _last_text(value["messages"]))
    prompt = value.pop("prompt")
    body = value | {"messages": [{"role": "user", "content": prompt}]}
    return _question(place, body, model, str(prompt))


def _question(place: str, body: dict[str, Any], model: str | None, shown: str) -> Question:
    body = body | {"model": model or body.get("model", "auto")}
    return Question(place, orjson.dumps(body), " ".join(shown.split()))


def _last_text(messages: object) -> str:
    last = messages[-1] if isinstance(messages, list) and messages else {}
    content = last.get("content", "") if isinstance(last, dict) else ""
    return content if isinstance(content, str) else "(parts)"
