"""How fast each model is at present: exponentially weighted, so that the last few dozen answers count."""

from collections.abc import Mapping

from llm_inference_router.routing.ask import Live

_WEIGHT = 0.1  # of the newest answer: a half-life of about seven answers
_FEWEST_TOKENS = 8  # a rate over fewer tokens measures the network


class LiveFigures:
    def __init__(self) -> None:
        self._figures: dict[str, Live] = {}

    def observe(self, model: str, ttft_ms: float, total_ms: float, output_tokens: int) -> None:
        """One streamed answer: a whole one does not tell its first token's time from the rest."""
        spent = total_ms - ttft_ms
        if output_tokens < _FEWEST_TOKENS or spent <= 0:
            return
        rate = output_tokens / spent * 1000
        old = self._figures.get(model)
        if old is not None:
            ttft_ms = old.ttft_ms + _WEIGHT * (ttft_ms - old.ttft_ms)
            rate = old.tokens_per_s + _WEIGHT * (rate - old.tokens_per_s)
        self._figures[model] = Live(ttft_ms, rate, old.samples + 1 if old else 1)

    def figures(self) -> Mapping[str, Live]:
        return dict(self._figures)
