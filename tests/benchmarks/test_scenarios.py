"""The mix and its figures on made-up traffic, where what is right is known."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.mix import GROUPS, LEAST, SHARES, TARGET, Measured, Outcome, Traffic, measure, verdict
from benchmarks.overlap import WINDOW, apart
from benchmarks.scenarios import ROUTES, SOURCES, Case, group_of, overview, promise, read, render, traffic_of
from llm_inference_router.evaluation.data import DataError, parse_rows
from llm_inference_router.evaluation.forecast import Forecast
from llm_inference_router.evaluation.metrics import Interval
from llm_inference_router.evaluation.table import table_of
from llm_inference_router.types import ChatRequest, Message

MODELS = ("small", "middle", "large")
COST = np.array([1.0, 4.0, 10.0])


def traffic(*, foresight: float, count: int = 900, seed: int = 1) -> Traffic:
    """The small model answers the easy prompts alone; `foresight` 1 knows all of it, 0 nothing."""
    rng = np.random.default_rng(seed)
    group = tuple(GROUPS[number % 3] for number in range(count))
    limit = np.array([0.2, 0.6, 1.0])  # the hardest prompt that each model still answers
    hard = np.array([{"easy": 0.1, "middle": 0.5, "hard": 0.8}[one] for one in group]) + 0.1 * rng.random(count)
    scores = (hard[:, None] <= limit).astype(float)
    noise = rng.random(count)
    seen = foresight * hard + (1 - foresight) * noise
    return Traffic(
        models=MODELS,
        scores=scores,
        cost=np.broadcast_to(COST, scores.shape),
        quality=1 / (1 + np.exp(20 * (seen[:, None] - limit))),
        price=np.broadcast_to(COST, scores.shape),
        group=group,
        reported=np.arange(count) % 2 == 1,
    )


@pytest.fixture(scope="module")
def knowing() -> Measured:
    return measure(traffic(foresight=1.0), draws=200)


def test_foresight_is_a_gain(knowing: Measured) -> None:
    router = knowing.outcomes["router"]
    assert knowing.verdict == "gain"
    assert knowing.over_single.low > 0
    assert knowing.over_shuffled.low > 0
    assert router.kept.value >= TARGET
    assert router.easy.value == pytest.approx(1.0)


def test_groups_weigh_as_much_as_the_traffic_has_of_them(knowing: Measured) -> None:
    alone = knowing.outcomes["always small"]
    assert alone.kept.value == pytest.approx(SHARES["easy"])
    assert alone.saving.value == pytest.approx(1 - COST[0] / COST[-1])
    perfect = sum(SHARES[group] * cost for group, cost in zip(GROUPS, COST, strict=True)) / COST[-1]
    assert knowing.outcomes["oracle"].saving.value >= 1 - perfect - 1e-9


def test_decisions_without_foresight_are_no_gain() -> None:
    blind = measure(traffic(foresight=0.0), draws=200)
    assert blind.verdict != "gain"
    assert blind.over_shuffled.low <= 0 <= blind.over_shuffled.high


def test_figures_are_of_the_other_half() -> None:
    """Answers of the reported half alone change: the bar stays, the figures follow."""
    before = traffic(foresight=1.0)
    scores = before.scores.copy()
    scores[before.reported, 0] = 0.0
    changed = Traffic(before.models, scores, before.cost, before.quality, before.price, before.group, before.reported)
    first, second = measure(before, draws=50), measure(changed, draws=50)
    assert first.outcomes["router"].what == second.outcomes["router"].what
    assert second.outcomes["router"].kept.value < 0.5 < first.outcomes["router"].kept.value


def test_a_group_that_is_too_small_leaves_its_share_to_the_others() -> None:
    whole = traffic(foresight=1.0)
    hard = np.flatnonzero(np.array(whole.group) == "hard")
    keep = np.ones(len(whole.group), dtype=bool)
    keep[hard[LEAST - 1 :]] = False
    columns = (whole.scores[keep], whole.cost[keep], whole.quality[keep], whole.price[keep])
    group = tuple(one for one, kept in zip(whole.group, keep, strict=True) if kept)
    found = measure(Traffic(whole.models, *columns, group, whole.reported[keep]), draws=50)
    assert set(found.groups) == {"easy", "middle"}
    assert found.outcomes["always small"].kept.value == pytest.approx(0.7 / 0.9)


def test_traffic_without_any_group_is_refused() -> None:
    few = traffic(foresight=1.0, count=12)
    with pytest.raises(DataError, match="no group has 10 prompts in each half"):
        measure(few)


def test_a_gain_needs_the_whole_interval() -> None:
    assert verdict(Interval(0.9, 0.8, 0.99)) == "gain"
    assert verdict(Interval(0.9, 0.8, 1.01)) == "not certain"
    assert verdict(Interval(1.0, 0.8, 1.2)) == "no gain"


@pytest.mark.parametrize(
    ("small", "kept", "told"),
    [((0.75, 0.71, 0.8), (0.97, 0.95, 0.99), "reached"),
     ((0.75, 0.65, 0.8), (0.97, 0.95, 0.99), "reached in the sample, not certain"),
     ((0.65, 0.60, 0.7), (0.97, 0.95, 0.99), "within the intervals"),
     ((0.75, 0.71, 0.8), (0.92, 0.90, 0.94), "not reached")],
)  # fmt: skip
def test_the_promise_is_reached_only_by_the_intervals_of_all_three(
    small: tuple[float, float, float], kept: tuple[float, float, float], told: str
) -> None:
    found = Outcome("", Interval(*small), Interval(*small), Interval(0.6, 0.55, 0.65), Interval(*kept))
    assert promise(found) == told


@pytest.mark.parametrize(
    ("task", "group"),
    [("gsm8k", "easy"), ("arc-challenge", "easy"), ("bbh/web_of_lies", "middle"), ("mmlu-virology", "middle"),
     ("mbpp", "hard"), ("chinese_zodiac", None), ("", None)],
)  # fmt: skip
def test_a_task_has_one_group(task: str, group: str | None) -> None:
    assert group_of(task) == group


def test_prompts_that_share_a_window_are_found_whatever_stands_around() -> None:
    def ask(text: str) -> ChatRequest:
        return ChatRequest(model="auto", messages=(Message("user", text),), body={})

    core = "the train leaves the station at noon and comes back before the sun has set over the hills"
    assert len(core.replace(" ", "")) >= WINDOW
    found = apart([ask(f"Question: {core.upper()}?"), ask("Another question"), ask(core[:30])], [ask(core)])
    assert found == [False, True, True]


def test_halves_and_order_of_a_route_come_from_the_file() -> None:
    name = "ulab_llmrouter"
    small, large = ROUTES[name]
    lines = [
        f'{{"id": "{n}", "prompt": "p{n}", "task": "gsm8k", "scores": {{"{large}": 1, "{small}": 0}}}}'
        for n in range(40)
    ]
    table = table_of(name, parse_rows(lines), ROUTES[name])
    quality = np.tile([0.1, 0.9], (40, 1))  # in the table's order
    forecast = Forecast(quality, np.ones((40, 2)), np.zeros(40), np.ones(2, dtype=bool))
    found = traffic_of(table, forecast)
    assert found.scores[0].tolist() == [0.0, 1.0]
    assert (found.cost[:, 0] < found.cost[:, 1]).all()
    assert found.quality[0].tolist() == quality[0][[table.models.index(small), table.models.index(large)]].tolist()
    assert 0 < found.reported.sum() < 40


def test_the_table_says_what_the_text_says(knowing: Measured) -> None:
    case = Case("made up", "unseen", MODELS, knowing)
    assert "gain over the cheapest single model" in render(case)
    row = overview([case]).splitlines()[-1]
    assert row.startswith("| made up, unseen |")
    assert row.endswith(f"| gain | {promise(knowing.outcomes['router'])} |")


def test_every_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        read(tmp_path)
    assert [name for name in SOURCES if f"{name}.jsonl" in str(raised.value)] == list(SOURCES)
