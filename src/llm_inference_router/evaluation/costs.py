"""What an answer costs: as the file says, or from list prices.

Where a file holds no costs at all, an answer costs list price x (prompt characters / 4 + 256 output tokens). List
prices are assumptions that make files comparable, not bills. Where a file holds costs of some models only, the others
stay out of figures with money: two ways to count in one picture would compare nothing.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from llm_inference_router.evaluation.data import Row

Floats: TypeAlias = NDArray[np.float64]

CHARACTERS_A_TOKEN = 4
TOKENS_OUT = 256
_PER = 1_000_000
_KNOWN_SHARE = 0.5  # of rows with a cost, from which on the mean stands for the others

_BY_SIZE = ((15.0, 0.2), (80.0, 0.9))  # billions of parameters up to, USD per million tokens
_SIZE = re.compile(r"(?<![\w.])(?:(\d+)x)?(\d+(?:\.\d+)?)b(?![a-z0-9])", re.IGNORECASE)


class Price(Struct, frozen=True):
    """USD per million tokens in and out."""

    tokens_in: float
    tokens_out: float
    source: str


_ROUTERBENCH = "providers' list prices as used by RouterBench (github.com/withmartian/routerbench, 2024-03)"
LISTED: Mapping[str, Price] = {
    "gpt-4-1106-preview": Price(10.0, 30.0, _ROUTERBENCH),
    "gpt-3.5-turbo-1106": Price(1.0, 2.0, _ROUTERBENCH),
    "mixtral-8x7b-instruct-v0.1": Price(0.6, 0.6, _ROUTERBENCH),
    "mixtral-8x7b-chat": Price(0.6, 0.6, _ROUTERBENCH),
    "claude-instant-v1": Price(0.8, 2.4, _ROUTERBENCH),
    "claude-v1": Price(8.0, 24.0, _ROUTERBENCH),
    "claude-v2": Price(8.0, 24.0, _ROUTERBENCH),
    "gpt-4o": Price(2.5, 10.0, "OpenAI's price list, 2024-10"),
    "gpt-4o-2024-08-06": Price(2.5, 10.0, "OpenAI's price list, 2024-10"),
    "gpt-4o-mini": Price(0.15, 0.6, "OpenAI's price list, 2024-07"),
    "gpt-4o-mini-2024-07-18": Price(0.15, 0.6, "OpenAI's price list, 2024-07"),
    "claude-3-haiku-20240307": Price(0.25, 1.25, "Anthropic's price list, 2024-03"),
    "claude-3-5-sonnet-20240620": Price(3.0, 15.0, "Anthropic's price list, 2024-06"),
    "claude-3-5-sonnet-20241022": Price(3.0, 15.0, "Anthropic's price list, 2024-10"),
}


class Costs(Struct, frozen=True):
    """`usd` of shape (rows, models), nan for models without; `basis` one of recorded, list price, none. `notes` are
    sentences that belong beside every figure."""

    usd: Floats
    basis: str
    notes: tuple[str, ...]


def list_price(model: str) -> Price | None:
    """The list price of a model by its name: from the table, else by the size that the name tells; None where neither
    knows it."""
    name = model.lower()
    if found := LISTED.get(name) or LISTED.get(name.rpartition("/")[2]):
        return found
    sizes = [float(size) for experts, size in _SIZE.findall(name) if not experts]
    for limit, usd in _BY_SIZE:
        if len(sizes) == 1 and sizes[0] <= limit:
            return Price(usd, usd, f"usual price of open models of up to {limit:g} billion parameters")
    return None


def costs_of(rows: Sequence[Row], models: Sequence[str], prices: Mapping[str, Price] | None = None) -> Costs:
    """What every model's answer to every row costs. `prices` (the owner's) go before list prices, and stand in for
    what a file lacks."""
    prices = prices or {}
    recorded = np.array([[_usd(row.cost.get(model)) for model in models] for row in rows]).reshape(-1, len(models))
    known = np.isfinite(recorded)
    notes: list[str] = []
    left_out: list[str] = []
    usd = np.full(recorded.shape, np.nan)
    basis = "recorded" if known.any() else "list price"
    for column, model in enumerate(models):
        share = float(known[:, column].mean())
        if share >= _KNOWN_SHARE:
            usd[:, column] = np.where(known[:, column], recorded[:, column], np.nanmean(recorded[:, column]))
            if share < 1:
                missing = int((~known[:, column]).sum())
                notes.append(f"{model}: {missing} rows have no cost and count as the mean of the others.")
            continue
        price = prices.get(model) or (list_price(model) if basis == "list price" else None)
        if price is None:
            left_out.append(model)
        else:
            usd[:, column] = at_list_price(rows, price)
    if left_out:
        why = "no cost in the file" if basis == "recorded" else "no cost in the file and no known list price"
        notes.append(
            f"{', '.join(left_out)}: {why}, so out of all figures with money (--price MODEL=USD gives a price)."
        )
    priced = np.isfinite(usd).all(axis=0)
    if basis == "list price" and priced.any():
        notes.insert(0, "The file holds no costs: list price x (prompt characters / 4 + 256 output tokens).")
    return Costs(usd, basis if priced.any() else "none", tuple(notes))


def _usd(value: float | None) -> float:
    return math.nan if value is None else value


def at_list_price(rows: Sequence[Row], price: Price) -> Floats:
    """USD of an answer to each row (rows)."""
    tokens_in = np.array([sum(len(message.text) for message in row.messages) for row in rows]) / CHARACTERS_A_TOKEN
    usd: Floats = (tokens_in * price.tokens_in + TOKENS_OUT * price.tokens_out) / _PER
    return usd
