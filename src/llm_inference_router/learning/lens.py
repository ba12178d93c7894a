"""From the features of a request to the few numbers that every model's quality depends on.

    rows = weights @ [hand features, embedding of unit length] + bias

One product (`learning.projection`) gives how difficult the request is to people's mind, in five parts, how hard it is
for models and how much abler ones gain on it, three latent directions, and the log odds of its task and of its kind
(the sort of benchmark or traffic it is like). A request is a vector of about thirty numbers, a model is another
(`learning.loading`), and their product is the log odds of a good answer.
"""

from collections.abc import Iterable, Sequence
from math import exp, isfinite, log
from operator import add

from msgspec import Struct

from llm_inference_router.vocabulary import TaskLabel

PARTS = ("reasoning", "knowledge", "constraints", "context", "output")
TASKS: tuple[TaskLabel, ...] = (
    "chat", "question_answering", "reasoning", "mathematics", "code", "writing", "extraction", "summarising", "agent",
)  # fmt: skip
# The tasks in which a model's ability may differ from its general one, and what public results call them.
ABILITY_TASKS: dict[TaskLabel, str] = {
    "mathematics": "mathematics",
    "code": "code",
    "question_answering": "knowledge",
    "reasoning": "reasoning",
}
DIRECTIONS = 3
_PARTS, _TASKS = len(PARTS), len(TASKS)
FIRST_DIRECTION = _PARTS + 2
FIRST_TASK = FIRST_DIRECTION + DIRECTIONS
FIRST_KIND = FIRST_TASK + _TASKS
_OF_ABILITY = tuple(map(TASKS.index, ABILITY_TASKS))
_AGENT = TASKS.index("agent")
_NO_DECIMALS = 1.5 * 2.0**52
# The share of `agent` that tools give: offered ones may go unused, a conversation inside a tool loop is one.
_OFFERED, _WORKING = 0.40, 0.85


def latent_size(kinds: int) -> int:
    """Numbers of a request's latent vector: hardness, gain, ease, ability tasks, directions, kinds."""
    return 3 + len(ABILITY_TASKS) + DIRECTIONS + kinds


class Scale(Struct, frozen=True):
    """value = 1 / (1 + exp(-(middle + steepness x difficulty))); a part is 0 at `low` and 1 at `high`.
    `plain`: intercept and slope from the log odds of a value to the hardness that such requests have for models.
    `ease`: the log odds of a value below which requests are easier than any benchmark's, by how many log odds of a good
    answer for each of the value, and the most of it."""

    middle: float
    steepness: float
    low: tuple[float, ...]
    high: tuple[float, ...]
    plain: tuple[float, float] = (0.0, 1.0)
    ease: tuple[float, float, float] = (0.0, 0.0, 0.0)


class Sight(Struct, frozen=True, gc=False):
    """`value` and `parts` of complexity 0..1; `tasks` are shares in the order of `TASKS`; `latent` is as
    `latent_size` counts it, to four decimals."""

    value: float
    parts: tuple[float, ...]
    tasks: tuple[float, ...]
    latent: tuple[float, ...]


class Lens:
    """What the rows of `learning.projection.Projection` mean. Stateless between requests."""

    __slots__ = ("_ease", "_ends", "_kinds", "_middle", "_plain", "_steepness", "version")

    def __init__(self, kinds: int, scale: Scale, version: str) -> None:
        self._kinds = kinds
        self._middle, self._steepness = scale.middle, scale.steepness
        self._plain = scale.plain
        self._ease = scale.ease
        self._ends = tuple((low, high - low) for low, high in zip(scale.low, scale.high, strict=True))
        self.version = version

    def see(
        self, rows: Sequence[float], *, hint: Sequence[float] = (), tools: bool = False, working: bool = False
    ) -> Sight:
        """`hint`: scores of tasks to be added, of what stands around; `tools`: some are offered; `working`: the
        conversation is inside a tool loop."""
        difficulty = sum(rows[:_PARTS])
        scores = rows[FIRST_TASK:FIRST_KIND]
        if hint:
            scores = list(map(add, scores, hint))
        tasks = shares(scores, (_WORKING if working else _OFFERED) if tools or working else 0.0)
        odds = _within(self._middle + self._steepness * difficulty, 30.0)
        numbers = [1.0 / (1.0 + exp(-odds)), self._easier(odds)]
        numbers += [_share((row - low) / span) for row, (low, span) in zip(rows, self._ends, strict=False)]
        numbers += rows[_PARTS:FIRST_TASK]
        value, ease, *numbers = rounded(numbers)
        return Sight(
            value,
            tuple(numbers[:_PARTS]),
            tuple(tasks),
            (
                *numbers[_PARTS:FIRST_DIRECTION],
                ease,
                *[tasks[task] for task in _OF_ABILITY],
                *numbers[FIRST_DIRECTION:],
                *shares(rows[FIRST_KIND:]),
            ),
        )

    def plain(self, value: float) -> tuple[float, ...]:
        """The latent numbers of a request of which nothing but the value of its complexity is known."""
        value = min(0.999, max(0.001, value))
        odds = log(value / (1.0 - value))
        hardness = self._plain[0] + self._plain[1] * odds
        return (hardness, 0.0, self._easier(odds), *[0.0] * (latent_size(self._kinds) - 4), 1.0)

    def _easier(self, odds: float) -> float:
        edge, steepness, most = self._ease
        return min(most, steepness * (edge - odds)) if odds < edge else 0.0


def shares(scores: Sequence[float], agent: float = 0.0) -> list[float]:
    """Softmax, `rounded`; the share of `agent` is at least so much. An empty list stays empty."""
    if not scores:
        return []
    most = max(scores)
    odds = list(map(exp, [score - most for score in scores]))
    total = sum(odds)
    if agent and odds[_AGENT] < agent * total:
        odds[_AGENT] = (total - odds[_AGENT]) * agent / (1.0 - agent)
        total = sum(odds)
    return rounded(odds, total)


def rounded(values: Iterable[float], whole: float = 1.0) -> list[float]:
    """To four decimals, as parts of `whole`: more say nothing, and are kept with each request. Adding so large a number
    leaves no room for decimals, and taking it off again leaves the rest; built-in `round` goes through text, which
    takes ten times as long."""
    scale = 10000.0 / whole
    return [(value * scale + _NO_DECIMALS - _NO_DECIMALS) / 10000.0 for value in values]


def _share(value: float) -> float:
    return value if 0.0 <= value <= 1.0 else 0.0 if value < 0.0 else 1.0


def _within(value: float, bound: float) -> float:
    if not isfinite(value):
        raise ValueError("a request's hardness is not finite: the lens is damaged")
    return value if -bound <= value <= bound else -bound if value < 0.0 else bound
