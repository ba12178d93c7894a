"""The whole reading of a config, pure: text in, findings out. `load` adds the file, the environment and the
exit."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from llm_inference_router.config import yaml
from llm_inference_router.config.available import not_available
from llm_inference_router.config.check import check
from llm_inference_router.config.convert import convert
from llm_inference_router.config.expand import Expansion, ReadFile
from llm_inference_router.config.schema import Config
from llm_inference_router.config.yaml import Node, Problem, Scalar


class Findings(Struct, frozen=True):
    """What a file says and what is wrong with it, as whole sentences with file, line and path.

    `config` is None when there are problems. `unset`: references that lead nowhere here; they are among the
    warnings too, because checking can do without them and serving cannot. `notes`: what this version does
    not act on yet.
    """

    config: Config | None
    problems: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()


def parse(text: bytes | str, *, environ: Mapping[str, str], read_file: ReadFile, name: str) -> Findings:
    """Reads, expands, converts and checks. Raises nothing, whatever the text; `name` is the file's, for
    messages."""
    document = yaml.read(text)
    if document.root is None:
        return Findings(None, _sentences(document.problems, None, name))
    expansion = Expansion(environ, read_file)
    root = expansion.node(document.root)
    converted = convert(root)
    form = [*document.problems, *expansion.problems, *converted.problems]
    unknown = [problem.path for problem in (*expansion.unset, *expansion.problems)]
    report = check(converted.config, [*converted.bad, *unknown], sound=not form)
    problems = [*form, *report.problems]
    return Findings(
        config=None if problems else converted.config,
        problems=_sentences(problems, root, name),
        warnings=_sentences([*expansion.unset, *report.warnings], root, name),
        notes=() if problems else tuple(not_available(converted.config)),
        unset=_sentences(expansion.unset, root, name),
    )


def _sentences(problems: Sequence[Problem], root: Node | None, name: str) -> tuple[str, ...]:
    placed = sorted(((problem.line or yaml.locate(root, problem.path), problem) for problem in problems), key=_line)
    sentences = []
    for line, problem in placed:
        path = yaml.render(root, problem.path)
        words = f"{path}: {_told(problem, root)}" if path else problem.message
        sentences.append(f"{name}:{line}: {_one_line(words)}")
    return tuple(dict.fromkeys(sentences))


def _told(problem: Problem, root: Node | None) -> str:
    """The message, with the reference in place of a value that came from the environment or a file."""
    node = yaml.find(root, problem.path)
    if isinstance(node, Scalar) and node.source is not None and len(node.text) > 1:
        return problem.message.replace(node.text, node.source)
    return problem.message


def _one_line(words: str) -> str:
    if words.isprintable():
        return words
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in words)


def _line(placed: tuple[int, Problem]) -> int:
    return placed[0]
