"""`${NAME}`, `${NAME:-text}` and `${file:/path}` in values, after parsing: what they bring is never read as
YAML.

`$${` writes a literal `${`. An empty variable counts as unset for `:-`, as in a shell.
"""

import re
from collections.abc import Callable, Mapping

from msgspec import structs

from llm_inference_router.config.yaml import Entry, Node, Path, Problem, Scalar, Sequence
from llm_inference_router.config.yaml import Mapping as MappingNode

_REFERENCE = re.compile(r"(\$?)\$\{([^{}]*)(\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

ReadFile = Callable[[str], str]


class Expansion:
    """One pass over a document. `problems` are malformed references, `unset` are those that lead nowhere."""

    def __init__(self, environ: Mapping[str, str], read_file: ReadFile) -> None:
        self._environ = environ
        self._read_file = read_file
        self.problems: list[Problem] = []
        self.unset: list[Problem] = []

    def node(self, node: Node, path: Path = ()) -> Node:
        if isinstance(node, Scalar):
            return self._scalar(node, path) if "${" in node.text else node
        if isinstance(node, Sequence):
            items = tuple(self.node(item, (*path, i)) for i, item in enumerate(node.items))
            return Sequence(items, node.line)
        if isinstance(node, MappingNode):
            entries = {
                key: Entry(self.node(entry.value, (*path, key)), entry.line, entry.plain)
                for key, entry in node.entries.items()
            }
            return MappingNode(entries, node.line)
        return node

    def _scalar(self, node: Scalar, path: Path) -> Node:
        missing: list[str] = []

        def replace(match: re.Match[str]) -> str:
            escaped, inside, closed = match.groups()
            if escaped:
                return match[0][1:]
            value = self._value(inside, bool(closed), path, missing)
            return match[0] if value is None else value

        text = _REFERENCE.sub(replace, node.text)
        self.unset += [Problem(path, message, node.line) for message in missing]
        if missing:
            return structs.replace(node, source=node.text, unset=True)
        return structs.replace(node, text=text, source=node.text)

    def _value(self, inside: str, closed: bool, path: Path, missing: list[str]) -> str | None:
        name, default_given, default = inside.partition(":-")
        if not closed:
            self.problems.append(
                Problem(path, "a ${ that is not closed, or one inside another; write $${ for a literal ${")
            )
        elif inside.startswith("file:"):
            return self._file(inside[5:], missing)
        elif not _NAME.match(name):
            self.problems.append(
                Problem(
                    path,
                    f"${{{inside}}} is not a reference: write ${{NAME}}, ${{NAME:-text}} or ${{file:/path}}",
                )
            )
        elif default_given:
            return self._environ.get(name) or default
        elif name in self._environ:
            return self._environ[name]
        else:
            missing.append(f"environment variable {name} is not set")
        return None

    def _file(self, path: str, missing: list[str]) -> str | None:
        try:
            return self._read_file(path).rstrip("\r\n")
        except UnicodeDecodeError:
            missing.append(f"file {path} is not UTF-8 text")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            missing.append(f"file {path} cannot be read ({reason})")
        return None
