"""What a calibration has bought: the figures, and the table that shows them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import orjson
from msgspec import Struct, structs
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from llm_inference_router.config.models import catalogue
from llm_inference_router.config.schema import CheapestAboveBar, Config, Utility
from llm_inference_router.dialects import chat
from llm_inference_router.engine.calibrate import Prompt, Summary, seen_in
from llm_inference_router.engine.worklog import Plan, WorkLog
from llm_inference_router.evaluation.judging import Tally, tally
from llm_inference_router.evaluation.lessons import teach
from llm_inference_router.evaluation.metrics import Interval
from llm_inference_router.evaluation.worth import Bought, Deal, More, bought, more
from llm_inference_router.learning.artefact import Artefact
from llm_inference_router.money import to_usd
from llm_inference_router.routing.catalog import named_of
from llm_inference_router.signals.base import extract, view
from llm_inference_router.signals.sense import Sense, shipped


class Labels(Struct, frozen=True):
    """What became of the prompts for one model, see `judging.Tally`."""

    labels: int
    turned: int
    same: int
    unread: int
    failed: int


class Figures(Struct, frozen=True):
    """Everything that is printed. Money in USD."""

    route: str
    strongest: str
    judge: str
    spent: float
    capped: bool
    stopped: bool
    given_up: tuple[str, ...]
    tallies: Mapping[str, Labels]
    bought: Bought
    more: More
    requests: int
    worth_it: bool


class Report(Struct, frozen=True):
    figures: Figures
    artefact: Artefact


def report_of(
    config: Config, plan: Plan, log: WorkLog, prompts: Sequence[Prompt], summary: Summary, requests: int
) -> Report | None:
    """From all that the work file has of these prompts; None without a single label."""
    rivals = [name for name in plan.models if name != plan.strongest]
    tallies = {name: tally([seen_in(log, plan, prompt.id, name) for prompt in prompts]) for name in rivals}
    used = [prompt for prompt in prompts if any(prompt.id in one.scores for one in tallies.values())]
    if not used:
        return None
    sense = shipped()
    latents = np.array([_latent(prompt, sense) for prompt in used])
    labels = {name: _scores(tallies[name], used) for name in rivals}
    models = {model.name: model for model in catalogue(config)}
    named = {name: named_of(models[name]) for name in plan.models}
    taught = teach(sense.artefact, named, plan.strongest, latents, labels)
    policy = config.routes[plan.route].policy
    deal = Deal(
        taught=taught,
        named=named,
        strongest=plan.strongest,
        latents=latents,
        labels=labels,
        costs=np.array([[_cost(log, prompt, name) for name in plan.models] for prompt in used]),
        bar=policy.bar if isinstance(policy, CheapestAboveBar) else CheapestAboveBar().bar,
    )
    weight = policy.cost_weight if isinstance(policy, Utility) else Utility().cost_weight
    spent = to_usd(summary.spent)
    further = more(deal, spent, 1.0 / weight if weight > 0 else 0.0)
    figures = Figures(
        route=plan.route,
        strongest=plan.strongest,
        judge=plan.judge,
        spent=spent,
        capped=summary.capped,
        stopped=summary.stopped,
        given_up=summary.given_up,
        tallies={name: _counts(one) for name, one in tallies.items()},
        bought=bought(deal),
        more=further,
        requests=requests,
        worth_it=further.worth_it(requests),
    )
    said = {"judge": plan.judge, "strongest": plan.strongest, "prompts": len(used), "spent_usd": spent}
    card = {**taught.artefact.card, "calibration": said}
    return Report(figures, structs.replace(taught.artefact, card=card))


def _latent(prompt: Prompt, sense: Sense) -> tuple[float, ...]:
    request = chat.parse(orjson.dumps({"model": "calibration", "messages": list(prompt.messages)}))
    return extract(request, view(request), sense).latent


def _scores(one: Tally, used: Sequence[Prompt]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([one.scores.get(prompt.id, np.nan) for prompt in used])


def _cost(log: WorkLog, prompt: Prompt, model: str) -> float:
    done = log.done.get((prompt.id, model, "answer"))
    return np.nan if done is None or done.text is None else to_usd(done.cost)


def _counts(one: Tally) -> Labels:
    return Labels(len(one.scores), one.turned, one.same, one.unread, one.failed)


# --- showing --------------------------------------------------------------------------------------------------


def show(console: Console, report: Report, output: Path) -> None:
    figures, found = report.figures, report.figures.bought
    title = f"{found.prompts:,} prompts, judged by {figures.judge} against {figures.strongest} (0.5: equally good)"
    table = Table(title=escape(title), title_justify="left")
    table.add_column("model")
    for heading in ("labels", "mean", "before labels", "after", "moved", "sd", "turned", "same", "unread", "failed"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, one in found.models.items():
        counts = figures.tallies.get(name)
        rest = ("-",) * 4 if counts is None else map(str, (counts.turned, counts.same, counts.unread, counts.failed))
        table.add_row(
            escape(name),
            "-" if counts is None else str(one.labels),
            "-" if one.mean is None else f"{one.mean:.3f}",
            f"{one.prior:.3f}",
            f"{one.posterior:.3f}",
            f"{one.posterior - one.prior:+.3f}",
            f"{one.sd:.3f}",
            *rest,
        )
    console.print(table)
    for line in _lines(figures):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print(f"wrote {output}; load it with  routes.{figures.route}.predictor: {output}", markup=False)


def _lines(figures: Figures) -> list[str]:
    found, further = figures.bought, figures.more
    lines = [
        f"Spent {figures.spent:.6f} USD in all{'; stopped at the cap' if figures.capped else ''}.",
        f"Bar {found.bar:g}: {_percent(found.changed)} of these prompts go to another model than without labels.",
        f"Quality kept, as a share of the strongest's: {_percent(found.kept_after)}.",
        f"By the decisions without labels: {_percent(found.kept_before)}, by the same new estimate.",
    ]
    if figures.given_up:
        lines.insert(0, f"Given up after failures in a row: {', '.join(figures.given_up)}; the work file says why.")
    if found.saved_before is None or found.saved_after is None:
        lines.append("No saving can be stated: the strongest model's answers cost nothing, or none came.")
    else:
        lines.append(
            f"Saved against always the strongest: {_percent(found.saved_after)}, "
            f"instead of {_percent(found.saved_before)} (95 % intervals, over prompts)."
        )
    if further.requests is None:
        lines.append(f"{further.labels} more labels would change no decision for the better: not worth their price.")
    else:
        verdict = "worth" if figures.worth_it else "not worth"
        lines.append(
            f"{further.labels} more labels would cost about {further.price:.4f} USD and gain about "
            f"{further.gain:.8f} USD a request: {verdict} it for {figures.requests:,} requests "
            f"(from {further.requests:,.0f} on)."
        )
    return lines


def _percent(value: Interval) -> str:
    return f"{value.value:.1%} [{value.low:.1%}, {value.high:.1%}]"
