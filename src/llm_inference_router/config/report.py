"""Where the checks put what they find, and which finds they keep to themselves."""

from collections.abc import Iterable

from llm_inference_router.config.yaml import Path, Problem


class Report:
    """Problems and warnings of a config, some of whose values may be replacements for wrong ones.

    What rests on a replaced value is not reported: the real problem already is. `needs` names the other
    places that a finding rests on.
    """

    def __init__(self, replaced: Iterable[Path] = ()) -> None:
        self._replaced = frozenset(replaced)
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def problem(self, path: Path, message: str, *needs: Path) -> None:
        if not any(self.replaced(place) for place in (path, *needs)):
            self.problems.append(Problem(path, message))

    def warning(self, path: Path, message: str, *needs: Path) -> None:
        if not any(self.replaced(place) for place in (path, *needs)):
            self.warnings.append(Problem(path, message))

    def replaced(self, path: Path) -> bool:
        """Whether the value at this path, or one that holds it, stands in for a wrong one."""
        return any(path[:length] in self._replaced for length in range(len(path) + 1))
