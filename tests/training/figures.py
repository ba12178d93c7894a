"""Figures as `llm-router eval --json` prints them, as far as the card reads them."""

from typing import Any


def interval(value: float | None, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    return {"value": value, "low": value if low is None else low, "high": value if high is None else high}


def rates(router: float) -> dict[str, Any]:
    return {key: interval(router if key == "router" else 0.5) for key in ("router", "length", "shuffled", "oracle")}


def file(apgr: float = 0.6, aiq: float = 0.9, best: float = 0.7, ratio: float | None = 0.4) -> dict[str, Any]:
    money = {
        "best_single": "large",
        "aiq": rates(aiq) | {"singles": interval(0.8), "chance": 0.01},
        "quality_max": interval(best),
        "equal_quality": [
            {"model": model, "quality": 0.65, "verdict": "gain"} | rates(0.0) | {"router": interval(one)}
            for model, one in (("small", 1.0), ("large", ratio))
        ],
    }
    return {"pair": {"apgr": rates(apgr)}, "money": money, "calibration": {"ece": interval(0.02)}, "notes": ["a note"]}


def scorecard(mode: str, files: dict[str, dict[str, Any]], *, ece: float = 0.02) -> dict[str, Any]:
    mean = sum(one["pair"]["apgr"]["router"]["value"] for one in files.values() if one["pair"]) / max(1, len(files))
    return {"mode": mode, "files": files, "mean": {"apgr": rates(mean), "ece": interval(ece)}}
