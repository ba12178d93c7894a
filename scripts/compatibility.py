"""Writes docs/reference/compatibility.md: which feature of which dialect is proved with which backend, and how.

A test claims what it proves with the marker `proves`; the claims are read from the tests' source, and no test is run:

    @pytest.mark.proves("chat", "vllm", "tools", stream=True, evidence="recorded")

dialect, backend and feature may each be a list. `stream`: True or False, or left out where one proof holds for both.
`lost`: what becomes of the feature there, where it does not survive ("dropped", "weakened"). `client`: an official or
well-known client that the test runs.

usage: scripts/compatibility.py [--check | --why DIALECT BACKEND FEATURE]
"""

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent
TESTS: Final = ROOT / "tests"
PAGE: Final = ROOT / "docs" / "reference" / "compatibility.md"

EVIDENCE: Final = {
    "real": "a real server ran beside the test (`make test-real`)",
    "recorded": "answers recorded from a real server, byte for byte (`tests/traces/`)",
    "specification": "a scripted server, or bytes, after the server's published protocol or source",
    "scripted": "bytes that we wrote, to see what the router makes of them",
}
LOST: Final = {
    "dropped": "the backend has nothing like it: left out, and named in `x-router-warnings`",
    "weakened": "asked for in the prompt, not enforced, and named in `x-router-warnings`",
    "ignored": "sent on, and the server ignores it",
}
DIALECTS: Final = {
    "chat": "Chat Completions, `/v1/chat/completions`",
    "responses": "Responses, `/v1/responses`",
    "messages": "Messages, `/v1/messages`",
    "completions": "Completions, `/v1/completions`",
    "embeddings": "Embeddings, `/v1/embeddings`",
}
BACKENDS: Final = {
    "openai": "OpenAI",
    "anthropic": "Anthropic",
    "vllm": "vLLM",
    "tgi": "TGI",
    "ollama": "Ollama",
    "llamacpp": "llama.cpp",
    "transformers": "transformers serve",
    "compatible": "other compatible",
    "simulated": "simulated",
}
FEATURES: Final = {
    "text": "text",
    "system": "system and developer messages",
    "tools": "tool calls",
    "tool_choice": "tool choice",
    "tool_results": "results of tools",
    "parallel_tools": "several tool calls at once",
    "strict_tools": "strict tools",
    "custom_tools": "custom tools",
    "functions": "deprecated functions",
    "images": "images",
    "files": "files",
    "audio": "audio",
    "schema": "structured output",
    "json": "JSON mode",
    "reasoning": "reasoning text",
    "reasoning_effort": "reasoning effort",
    "signatures": "signed thinking blocks",
    "citations": "citations",
    "caching": "cache marks",
    "stop": "stop sequences",
    "sampling": "temperature, top_p and the like",
    "limits": "limits of output",
    "n": "several answers",
    "logprobs": "log probabilities",
    "seed": "seed",
    "prediction": "predicted output",
    "web_search": "web search",
    "service_tier": "service tier",
    "metadata": "metadata and user ids",
    "usage": "usage",
    "cached_usage": "cached and reasoning tokens",
    "finish_reasons": "finish reasons",
    "refusals": "refusals",
    "errors": "errors",
    "context_overflow": "a prompt that is too long",
    "broken_answers": "broken answers are faults",
    "unknown_fields": "unknown fields",
    "echo": "the prompt in the answer",
    "token_counts": "counting tokens",
    "state": "state kept between requests",
    "encodings": "float and base64",
    "dimensions": "dimensions",
}

_HEAD: Final = """# Compatibility: what is proved with which backend

This page is made from the tests by `scripts/compatibility.py`; do not edit it. A cell stands here only where a test
proves it, and says by what kind of evidence; an empty cell says that nobody has proved it, not that it fails.
`scripts/compatibility.py --why chat vllm tools` names the tests of a cell.
"""


@dataclass(frozen=True)
class Claim:
    """One cell that one test proves. `stream` None: both ways."""

    dialect: str
    backend: str
    feature: str
    stream: bool | None
    evidence: str
    lost: str
    client: str
    test: str


class Wrong(ValueError):
    """A marker that cannot be read; says where, and what is wrong with it."""


def claims(folder: Path = TESTS) -> list[Claim]:
    """All claims of the tests in a folder, by file and line. Raises Wrong."""
    return [claim for file in sorted(folder.rglob("test_*.py")) for claim in _of_file(file, folder.parent)]


def _of_file(file: Path, root: Path) -> Iterator[Claim]:
    text = file.read_text(encoding="utf-8")
    if "mark.proves(" not in text:
        return
    place = file.relative_to(root)
    tree = ast.parse(text)
    marked = {mark.lineno for mark in ast.walk(tree) if isinstance(mark, ast.Call) and _is_proof(mark)}
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not node.name.startswith("test_"):
            continue
        for mark in node.decorator_list:
            if isinstance(mark, ast.Call) and _is_proof(mark):
                marked.discard(mark.lineno)
                yield from _of_mark(mark, node, f"{place}::{node.name}", f"{place}:{mark.lineno}", text)
    if marked:
        raise Wrong(f"{place}:{min(marked)}: proves stands only above a test function")


def _is_proof(mark: ast.Call) -> bool:
    return ast.unparse(mark.func) == "pytest.mark.proves"


def _of_mark(mark: ast.Call, node: ast.AST, test: str, place: str, text: str) -> Iterator[Claim]:
    try:
        given = [ast.literal_eval(one) for one in mark.args]
        named = {word.arg: ast.literal_eval(word.value) for word in mark.keywords}
    except ValueError:
        raise Wrong(f"{place}: the arguments of proves are literals: it is read, not run") from None
    if len(given) != 3 or not named.keys() <= {"stream", "evidence", "lost", "client"}:
        raise Wrong(f"{place}: proves(dialect, backend, feature, *, evidence, stream, lost, client)")
    stream, client = named.get("stream"), named.get("client", "")
    if stream not in (None, True, False):
        raise Wrong(f"{place}: stream is True, False or left out")
    evidence = _known(named.get("evidence"), EVIDENCE, "evidence", place)
    lost = _known(named["lost"], LOST, "lost", place) if "lost" in named else ""
    other = [ast.unparse(one) for one in getattr(node, "decorator_list", ())]
    if any(".skip" in one or ".xfail" in one for one in other):
        raise Wrong(f"{place}: a test that is skipped or expected to fail proves nothing")
    if evidence == "recorded" and "tests.traces" not in text:
        raise Wrong(f"{place}: recorded, and the file reads nothing from tests.traces")
    if evidence == "real" and "pytest.mark.real" not in text:
        raise Wrong(f"{place}: real, and the file has no mark real")
    words = [
        [_known(one, known, what, place) for one in ([value] if isinstance(value, str) else value)]
        for value, known, what in zip(
            given, (DIALECTS, BACKENDS, FEATURES), ("dialect", "backend", "feature"), strict=True
        )
    ]
    for dialect, backend, feature in product(*words):
        yield Claim(dialect, backend, feature, stream, evidence, lost, client, test)


def _known(value: Any, known: dict[str, str], what: str, place: str) -> str:
    if not isinstance(value, str) or value not in known:
        raise Wrong(f"{place}: {what} {value!r} is none of {', '.join(known)}")
    return value


# --- the page ---------------------------------------------------------------------------------------------------------


def page(found: Iterable[Claim]) -> str:
    """The whole page."""
    found = list(found)
    parts = [_HEAD, _table(("word", "means"), EVIDENCE.items()), ""]
    parts += [
        "`a / b`: whole answers / streams, `-` where one of the two is not proved. In brackets, what becomes of it:",
        "",
    ]
    parts += [_table(("word", "means"), LOST.items())]
    for dialect, title in DIALECTS.items():
        mine = [claim for claim in found if claim.dialect == dialect]
        if mine:
            parts += ["", f"## {title.split(',')[0]}", "", f"{title.split(', ')[1]}", "", _dialect(mine)]
    clients = _clients(found)
    if clients:
        parts += ["", "## Clients", "", "What a client's own code was run with.", "", clients]
    return "\n".join(parts) + "\n"


def _dialect(mine: list[Claim]) -> str:
    backends = [name for name in BACKENDS if any(claim.backend == name for claim in mine)]
    rows = []
    for feature, title in FEATURES.items():
        cells = [_cell([c for c in mine if (c.backend, c.feature) == (name, feature)]) for name in backends]
        if any(cells):
            rows.append((title, *cells))
    return _table(("feature", *(BACKENDS[name] for name in backends)), rows)


def _clients(found: list[Claim]) -> str:
    rows = []
    for client, dialect in sorted({(claim.client, claim.dialect) for claim in found if claim.client}):
        mine = [claim for claim in found if (claim.client, claim.dialect) == (client, dialect)]
        for name in BACKENDS:
            features = {claim.feature for claim in mine if claim.backend == name}
            if features:
                said = ", ".join(FEATURES[feature] for feature in FEATURES if feature in features)
                rows.append((client, dialect, BACKENDS[name], said))
    return _table(("client", "dialect", "backend", "with"), rows) if rows else ""


def _cell(proofs: list[Claim]) -> str:
    whole, streamed = (_strongest([p for p in proofs if p.stream in (None, way)]) for way in (False, True))
    if whole == streamed:
        return whole
    return f"{whole or '-'} / {streamed or '-'}"


def _strongest(proofs: list[Claim]) -> str:
    """By the best evidence; what is lost by any proof is said."""
    if not proofs:
        return ""
    best = min(proofs, key=lambda proof: list(EVIDENCE).index(proof.evidence))
    lost = next((proof.lost for proof in (best, *proofs) if proof.lost), "")
    return f"{best.evidence} ({lost})" if lost else best.evidence


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def main(arguments: list[str]) -> int:
    try:
        found = claims()
    except Wrong as error:
        print(error)
        return 1
    if arguments[:1] == ["--why"]:
        wanted = tuple(arguments[1:])
        print("\n".join(sorted({c.test for c in found if (c.dialect, c.backend, c.feature)[: len(wanted)] == wanted})))
        return 0
    fresh = PAGE.exists() and PAGE.read_text(encoding="utf-8") == page(found)
    if "--check" in arguments:
        print(f"{PAGE.name} is {'fresh' if fresh else 'stale: run scripts/compatibility.py'}")
        return 0 if fresh else 1
    if not fresh:
        PAGE.write_text(page(found), encoding="utf-8")
        print(f"wrote {PAGE.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
