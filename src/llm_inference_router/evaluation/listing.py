"""What a predictor would do with each query, one JSON object a line: for use by other programs.

    {"id", "source", "complexity", "models": {model: {"quality", "cost", "known"}}, "chosen": {bar: model}}

`quality` is the predicted probability of a good answer, `cost` the predicted USD, `chosen` the model of
`cheapest_above_bar` at each bar. Models without a cost are predicted but never chosen.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np

from llm_inference_router.evaluation.costs import Price, at_list_price, list_price
from llm_inference_router.evaluation.data import DataError, Row
from llm_inference_router.evaluation.figures import rounded
from llm_inference_router.evaluation.forecast import Forecast
from llm_inference_router.evaluation.predictor import Predictor
from llm_inference_router.evaluation.sweep import cheapest_above

BARS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 1.0)


def unseen(rows: Sequence[Row], models: Sequence[str], predictor: Predictor, prices: Mapping[str, Price]) -> Forecast:
    """The forecast for prompts without scores or costs: predicted cost is the mean of list prices over the prompts.

    Raises `DataError` naming the models that have no price.
    """
    found = {model: prices.get(model) or list_price(model) for model in models}
    unpriced = [model for model, price in found.items() if price is None]
    if unpriced:
        raise DataError(
            [f"{model}: no known list price; give one: --price {model}=IN/OUT, USD per million tokens"
             for model in unpriced]
        )  # fmt: skip
    requests = [row.request for row in rows]
    means = [float(at_list_price(rows, price).mean()) for price in found.values() if price is not None]
    return Forecast(
        quality=predictor.predict(requests, models).quality,
        price=np.broadcast_to(np.array(means), (len(rows), len(models))),
        complexity=predictor.complexity(requests),
        known=np.array([predictor.knows(model) for model in models]),
    )


def listing(
    name: str, rows: Sequence[Row], models: Sequence[str], forecast: Forecast, bars: Sequence[float] = BARS
) -> Iterator[bytes]:
    """A line for each row, without line ends."""
    kept = np.flatnonzero(np.isfinite(forecast.price).all(axis=0))
    quality = np.round(forecast.quality, 9)
    chosen = [
        kept[cheapest_above(quality[:, kept], forecast.price[:, kept], bar)] if kept.size else None for bar in bars
    ]
    for number, row in enumerate(rows):
        yield msgspec.json.encode(
            {
                "id": row.id,
                "source": name,
                "complexity": rounded(float(forecast.complexity[number])),
                "models": {
                    model: {
                        "quality": rounded(float(forecast.quality[number, column])),
                        "cost": rounded(float(forecast.price[number, column])),
                        "known": bool(forecast.known[column]),
                    }
                    for column, model in enumerate(models)
                },
                "chosen": {
                    f"{bar:g}": models[picked[number]]
                    for bar, picked in zip(bars, chosen, strict=True)
                    if picked is not None
                },
            }
        )
