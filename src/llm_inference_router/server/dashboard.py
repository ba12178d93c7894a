"""The page for people: what was routed where, what it cost, how fast it was."""

from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from llm_inference_router.money import to_usd
from llm_inference_router.store.recent import recent
from llm_inference_router.store.report import report
from llm_inference_router.vocabulary import TIERS

_WINDOWS = {"1h": 3600, "24h": 86400, "7d": 7 * 86400, "all": 0}
_RECENT = 25

_templates = Environment(
    loader=PackageLoader("llm_inference_router.server"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


def _usd(picodollars: int) -> str:
    amount = to_usd(picodollars)
    return f"${amount:,.2f}" if abs(amount) >= 1 or not amount else f"${amount:.5f}"


def _ms(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value / 1000:.2f} s" if value >= 1000 else f"{value:.0f} ms"


def _percent(ratio: float | None) -> str:
    return "–" if ratio is None else f"{100 * ratio:.1f} %"


def _clock(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


_templates.filters |= {"usd": _usd, "ms": _ms, "percent": _percent, "clock": _clock}


def dashboard(path: Path, window: str, now_ms: int) -> str:
    """HTML. `window` is 1h, 24h, 7d or all; anything else is 24h. It reads the database: call it off the loop."""
    chosen = window if window in _WINDOWS else "24h"
    seconds = _WINDOWS[chosen]
    figures = report(path, now_ms - seconds * 1000 if seconds else 0)
    tiers = sorted(figures.tiers, key=lambda group: [*TIERS, group.name].index(group.name))
    page = _templates.get_template("dashboard.html")
    return page.render(
        figures=figures, tiers=tiers, recent=recent(path, _RECENT), windows=list(_WINDOWS), window=chosen, now=now_ms
    )
