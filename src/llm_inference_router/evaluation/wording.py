"""Figures as people read them, the same in a terminal and on a page."""

import math

from llm_inference_router.evaluation.metrics import Interval


def number(value: float, *, sign: bool = False) -> str:
    """0.512, with its sign where it is a difference."""
    if not math.isfinite(value):
        return "-"
    return f"{value:+.3f}" if sign else f"{value:.3f}"


def spread(interval: Interval, *, sign: bool = False) -> str:
    """0.512 [0.488 0.536]"""
    if math.isnan(interval.value):
        return "-"
    return f"{number(interval.value, sign=sign)} [{number(interval.low, sign=sign)} {number(interval.high, sign=sign)}]"


def percent(value: float) -> str:
    """62%; "never" for infinity."""
    if math.isnan(value):
        return "-"
    return "never" if math.isinf(value) else f"{value:.0%}"


def ratio(interval: Interval) -> str:
    """62% [51% 94%]; "never" where a quality is not reached."""
    if not math.isfinite(interval.value):
        return percent(interval.value)
    return f"{percent(interval.value)} [{percent(interval.low)} {percent(interval.high)}]"


def usd(value: float | None) -> str:
    """0.0003237"""
    return "-" if value is None else f"{value:.4g}"
