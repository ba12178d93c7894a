"""How long each model's answers are beside the shared guess, learned from its last answers.

Of every answer its ratio to the guess is kept (`signals.length` guesses the median for all models alike), and the
quantiles of the last `WINDOW` ratios are the model's own. A window begins with a few ratios made up from the guess,
which count as old answers and leave it first, so a model that has hardly answered is expected to be as the guess says.
Ranks alone count: one absurd answer moves a quantile by one place.

An answer that was cut short says "at least so long". Such ratios are taken in by the estimator of Kaplan and Meier
(Nonparametric estimation from incomplete observations, 1958), which hands their weight to the longer ones.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from math import ceil

from msgspec import Struct

from llm_inference_router.types import NO_TOKENS, Quantiles, Usage

WINDOW = 64  # answers that count: twice as many gain a hundredth, and follow a change half as fast
SPREAD = 2.4  # p90 over p50 of the shared guess where nothing narrows it, see signals.length
# What a window begins with: the median is 1, the p90 SPREAD, the others lie between as a log-normal has them.
PRIOR = (0.52, 0.75, 1.0, 1.43, SPREAD)
_SILENT = (0.0,) * len(PRIOR)
_CUT = frozenset(("length", "content_filter"))  # finish reasons of answers that would have gone on
_ROUNDING = 1e-9


class Length(Struct, frozen=True):
    """A model's quantiles as ratios to the shared median guess; `answers` many are behind them.

    `own` (0..1) is how much of the guess's own p90 is left in the upper one. Reasoning is part of the output.
    """

    middle: float
    upper: float
    own: float
    reasoning_middle: float
    reasoning_upper: float
    answers: int


class Window:
    """The last ratios, by age and by size. Adding one moves at most `size` places of a list: about a microsecond.

    Answers that were cut push out no whole one, so they can only raise a quantile. They are forgotten with the whole
    ones of their time.
    """

    __slots__ = ("_aged", "_cut", "_size", "_sorted", "whole")

    def __init__(self, size: int = WINDOW, prior: Sequence[float] = PRIOR) -> None:
        if not 0 < len(prior) <= size:
            raise ValueError(f"a window of {size} cannot begin with {len(prior)} ratios")
        self.whole = 0  # ever added
        self._size = size
        self._aged = deque(prior)
        self._sorted = sorted(prior)
        self._cut: deque[tuple[float, int]] = deque(maxlen=size)  # each with `whole` when it came

    def add(self, ratio: float, *, cut: bool = False) -> None:
        """`cut`: the ratio would have been this or more."""
        if cut:
            self._cut.append((ratio, self.whole))
            return
        self.whole += 1
        if len(self._aged) == self._size:
            del self._sorted[bisect_left(self._sorted, self._aged.popleft())]
        self._aged.append(ratio)
        insort(self._sorted, ratio)
        while self._cut and self._cut[0][1] <= self.whole - self._size:
            self._cut.popleft()

    def quantile(self, share: float) -> float:
        """The smallest ratio that at least `share` of the answers do not exceed; the largest known one where too many
        were cut to tell."""
        if not self._cut:
            return self._sorted[max(0, ceil(share * len(self._sorted) - _ROUNDING) - 1)]
        entries = sorted([*((ratio, False) for ratio in self._sorted), *((ratio, True) for ratio, _ in self._cut)])
        longer = 1.0
        for remaining, (ratio, cut) in zip(range(len(entries), 0, -1), entries, strict=True):
            if not cut:
                longer *= 1.0 - 1.0 / remaining
                if longer <= 1.0 - share + _ROUNDING:
                    return ratio
        return entries[-1][0]


class Lengths:
    """One model's."""

    __slots__ = ("_known", "_output", "_reasoning", "answers")

    def __init__(self, size: int = WINDOW) -> None:
        self._output = Window(size, PRIOR)
        self._reasoning = Window(size, _SILENT)
        self.answers = 0
        self._known: Length | None = None

    def observe(self, guess: Quantiles, usage: Usage, finish_reason: str | None, choices: int = 1) -> None:
        """One complete answer to a request that was guessed at `guess` tokens for each of its `choices` (one or more).

        A guess that a limit of tokens has cut is of no use as a measure, and nothing is learned. Estimated usage counts
        characters, so it tells no reasoning from the rest.
        """
        if not 0 < guess.p50 < guess.p90:  # only a limit at or below the median makes both the same
            return
        cut = finish_reason in _CUT
        unit = guess.p50 * choices
        self._output.add((usage.output_tokens or 1) / unit, cut=cut)
        if usage.source == "reported":
            thought = min(usage.reasoning_tokens, usage.output_tokens)
            # With something said after it, the reasoning had come to its end.
            self._reasoning.add(thought / unit, cut=cut and thought == usage.output_tokens)
        self.answers += 1
        self._known = None

    def figures(self) -> Length:
        """Worked out when something was added since."""
        if self._known is None:
            output, reasoning = self._output, self._reasoning
            self._known = Length(
                output.quantile(0.5),
                output.quantile(0.9),
                len(PRIOR) / (len(PRIOR) + output.whole),
                reasoning.quantile(0.5),
                reasoning.quantile(0.9),
                self.answers,
            )
        return self._known


def expected(length: Length, guess: Quantiles, limit: int | None) -> tuple[Quantiles, Quantiles]:
    """Tokens of one answer to a request guessed at `guess`, and those of them that are reasoning.

    At most `limit`, at least one, the p90 never below the median and the reasoning never above the output. Asked once a
    candidate, so it is written out.
    """
    unit = guess.p50
    if guess.p90 <= unit:  # cut by a limit: how long it was guessed to be is not known, but hardly less
        middle = upper = unit * length.middle if length.middle > 1.0 else unit
    else:
        middle = unit * length.middle
        upper = unit * length.upper * (guess.p90 / (unit * SPREAD)) ** length.own
    p50, p90 = int(middle + 0.5) or 1, int(upper + 0.5)
    if p90 < p50:
        p90 = p50
    if limit is not None and p90 > limit:
        p50, p90 = min(limit, p50), limit
    if not length.reasoning_upper:
        return Quantiles(p50, p90), NO_TOKENS
    thought, most = int(unit * length.reasoning_middle + 0.5), int(unit * length.reasoning_upper + 0.5)
    return Quantiles(p50, p90), Quantiles(min(p50, thought), min(p90, most))
