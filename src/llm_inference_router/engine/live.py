"""How fast each model is at present, and how long its answers are: the last few dozen answers count."""

from collections.abc import Iterable, Mapping

from llm_inference_router.learning.length import Lengths
from llm_inference_router.routing.ask import Live
from llm_inference_router.store.answers import Answered
from llm_inference_router.types import Quantiles, Usage

_WEIGHT = 0.1  # of the newest answer: a half-life of about seven answers
_FEWEST_TOKENS = 8  # a rate over fewer tokens measures the network
_UNTIMED = Live(0.0, 0.0, 0)


class LiveFigures:
    """Of these models alone; `before` is what was known of them under an earlier configuration."""

    def __init__(self, models: Iterable[str], before: "LiveFigures | None" = None) -> None:
        names = tuple(models)
        paces = before._paces if before is not None else {}
        lengths: Mapping[str, Lengths] = before._lengths if before is not None else {}
        self._paces: dict[str, Live] = {name: paces[name] for name in names if name in paces}
        self._lengths: dict[str, Lengths] = {name: lengths.get(name) or Lengths() for name in names}

    def observe(self, model: str, ttft_ms: float, total_ms: float, output_tokens: int) -> None:
        """The pace of one streamed answer: a whole one does not tell its first token's time from the rest."""
        spent = total_ms - ttft_ms
        if output_tokens < _FEWEST_TOKENS or spent <= 0:
            return
        rate = output_tokens / spent * 1000
        old = self._paces.get(model)
        if old is not None:
            ttft_ms = old.ttft_ms + _WEIGHT * (ttft_ms - old.ttft_ms)
            rate = old.tokens_per_s + _WEIGHT * (rate - old.tokens_per_s)
        self._paces[model] = Live(ttft_ms, rate, old.samples + 1 if old else 1)

    def measure(self, model: str, guess: Quantiles, usage: Usage, finish_reason: str | None, choices: int) -> None:
        """The length of one complete answer, streamed or whole, to a request that was guessed at `guess`."""
        self._lengths[model].observe(guess, usage, finish_reason, choices)

    def recall(self, answers: Iterable[Answered]) -> None:
        """Lengths from before the start, oldest first. Models that are not configured any more are passed over."""
        for one in answers:
            if one.model in self._lengths:
                self.measure(one.model, one.guess, one.usage, one.finish_reason, one.choices)

    def figures(self) -> Mapping[str, Live]:
        """Of the models that have answered."""
        found = dict(self._paces)
        for name, lengths in self._lengths.items():
            if lengths.answers:
                pace = found.get(name, _UNTIMED)
                found[name] = Live(pace.ttft_ms, pace.tokens_per_s, pace.samples, lengths.figures())
        return found
