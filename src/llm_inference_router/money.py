"""Exact money: whole picodollars.

A price of USD p per million tokens is p * 10**6 picodollars per token, so every price with up to six decimals is an
integer per token, and every cost is an exact integer product. 64 bits hold 9.2 million dollars; sums over many
records are made in Python, where integers do not overflow.
"""

from decimal import Decimal

PICODOLLARS_PER_USD = 10**12
_PER_TOKEN = 10**6  # USD per million tokens -> picodollars per token


def per_token(usd_per_million: float | Decimal) -> int:
    """Picodollars per token for a list price in USD per million tokens.

    Raises ValueError for a negative price and for one finer than a picodollar per token (more than six decimals).
    """
    price = Decimal(str(usd_per_million)) * _PER_TOKEN
    if price < 0 or not price.is_finite():
        raise ValueError("a price is zero or more")
    if price != price.to_integral_value():
        raise ValueError("a price has at most six decimals")
    return int(price)


def to_usd(picodollars: int) -> float:
    """The amount in USD, for people and for JSON; never feed it back into a sum."""
    return picodollars / PICODOLLARS_PER_USD


def from_usd(usd: float | Decimal) -> int:
    """Picodollars for an amount in USD, rounded to the nearest."""
    return int((Decimal(str(usd)) * PICODOLLARS_PER_USD).to_integral_value())
