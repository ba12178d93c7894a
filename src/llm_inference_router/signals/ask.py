"""Where the request's question stands: the last thing a human asked, freed of what machines and documents
put around it.

Every search is bounded: a text is looked at in its first and last `REACH` characters, never in between.
"""

import re

from msgspec import Struct

REACH = 2000
_CLOSE_WITHIN = 200_000  # how far the end of an opened machine block is searched for

# Blocks that tools write into user messages. Their text is nobody's question.
_MACHINE = (
    "system-reminder", "local-command-stdout", "local-command-stderr", "command-name", "command-message",
    "command-args",
    "tool_result", "tool_response", "function_results", "environment_details", "environment_context",
    "user_instructions",
    "ide_opened_file", "ide_selection",
)  # fmt: skip
_MACHINE_OPEN = re.compile(r"\s{0,200}<(" + "|".join(_MACHINE) + r")\b[^<>]{0,200}>")
_MACHINE_TAG = re.compile(r"<(" + "|".join(_MACHINE) + r")\b[^<>]{0,200}>")
_MACHINE_END = re.compile(r"\s*</(" + "|".join(_MACHINE) + r")>\s*\Z")
# What people paste for the model to read: context, though its kind says something of the task.
_QUOTED_TAG = re.compile(
    r"<(documents?|doc|context|article|transcript|email|file|source|passage|quote|attachment|file_contents"
    r"|search_results)\b[^<>]{0,200}>",
    re.IGNORECASE,
)
_FENCE = re.compile(r"```([A-Za-z0-9_+#.-]{0,20})[^\n]{0,200}\n.*?(?:```|\Z)", re.DOTALL)
_TRIPLE = re.compile(r'"""\s*\n.*?(?:"""|\Z)', re.DOTALL)
_QUOTE_LINES = re.compile(r"(?:^|(?<=\n))>[^\n]*(?:\n|\Z)")
# The label before each worked example's answer, and at the end of the query.
_LABELS = (
    "Answer:",
    "\nA:",
    "Output:",
    "Response:",
    "Antwort:",
    "Réponse",
    "Respuesta:",
    "Ответ:",
    "答案",
    "回答",
)
_ELISION = "\n"


class Ask(Struct, frozen=True, gc=False):
    """`text` is what is judged; `context` counts the characters set aside; `code` and `quoted` say what
    kind they were."""

    text: str
    context: int = 0
    code: bool = False
    quoted: bool = False
    shots: int = 0


def without_machine_blocks(text: str) -> str:
    """A message's text without the blocks that tools wrote into it; empty when nothing else is there.

    Blocks are found where tools put them, at the start and at the end of a message, and anywhere in a short
    one.
    """
    if "<" not in text[:REACH] and ">" not in text[-REACH:]:
        return text
    if len(text) <= 2 * REACH:
        rest, blocks = _without_blocks(text, _MACHINE_TAG, "")
        return rest.strip() if blocks else text
    start, end = 0, len(text)
    while opened := _MACHINE_OPEN.match(text, start):
        close = f"</{opened[1]}>"
        at = text.find(close, opened.end(), opened.end() + _CLOSE_WITHIN)
        if at < 0:
            return text[start:end] if start else text
        start = at + len(close)
    while closed := _MACHINE_END.search(text, max(start, end - 60), end):
        at = text.rfind(f"<{closed[1]}", max(start, end - _CLOSE_WITHIN), end)
        if at < 0:
            break
        end = at
    if start == 0 and end == len(text):
        return text
    return text[start:end].strip()


def _without_blocks(text: str, opening: re.Pattern[str], instead: str) -> tuple[str, int]:
    """A text without its closed blocks, and their number. A tag that is never closed is a word like any other."""
    kept: list[str] = []
    unclosed: set[str] = set()
    start = at = 0
    while found := opening.search(text, at):
        at = found.end()
        name = found[1]
        if name in unclosed:
            continue
        close = f"</{name}>"
        end = text.find(close, at)
        if end < 0:
            unclosed.add(name)
            continue
        kept.append(text[start : found.start()])
        start = at = end + len(close)
    if not start:
        return text, 0
    kept.append(text[start:])
    return instead.join(kept), len(kept) - 1


def judged(text: str) -> Ask:
    """What of a human message is the question: quoted documents, code blocks and worked examples are set
    aside.

    When nothing but quoted text is there, that text is the question.
    """
    size = len(text)
    near = text if size <= 2 * REACH else text[:REACH] + _ELISION + text[-REACH:]
    rest = near
    code = quoted = False
    # Here and below: a single character is found ten times as fast as two, so that it is looked for first.
    if "`" in rest and "```" in rest:
        rest, fences = _FENCE.subn("\n", rest)
        code = fences > 0
    if "<" in rest:
        rest, blocks = _without_blocks(rest, _QUOTED_TAG, "\n")
        quoted = blocks > 0
    if '"' in rest and '"""' in rest and not code:
        trimmed = _TRIPLE.sub("\n", rest)
        if len(trimmed.strip()) > 20:  # a docstring in bare code is the question itself
            quoted = quoted or trimmed != rest
            rest = trimmed
    if ">" in rest and (rest.startswith(">") or "\n>" in rest):
        unquoted = _QUOTE_LINES.sub("", rest)
        if not unquoted.lstrip().startswith((">>>", "def ")) and ">>>" not in rest:
            quoted = quoted or unquoted != rest
            rest = unquoted
    rest, shots = _last_block(rest)
    rest = rest.strip()
    if not rest:
        return Ask(near.strip(), 0, code, quoted, 0)
    return Ask(rest, max(0, size - len(rest)), code, quoted, shots)


def _last_block(text: str) -> tuple[str, int]:
    """The query at the end of a few-shot prompt, and how many worked examples stood before it."""
    if (":" not in text and "：" not in text) or "\n" not in text or "\n\n" not in text:
        return text, 0
    for label in _LABELS:
        last = text.rfind(label)
        if last < 0:
            continue
        shots = text.count(label)
        if not text[last + len(label) :].strip(" :：\n"):
            shots -= 1
            last = text.rfind(label, 0, last)
        if shots < 1:
            return text, 0
        gap = text.find("\n\n", last)
        if gap < 0 or gap - last > (400 if shots > 1 else 80):
            return text, 0
        block = text[gap:].strip()
        return (block, shots) if len(block) >= 15 else (text, 0)
    return text, 0
