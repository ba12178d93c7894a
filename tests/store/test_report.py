"""The report equals what Python computes from the same records, however large the sums."""

import asyncio
import math
import random
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_inference_router.store.base import StoreFault
from llm_inference_router.store.lines import decision_in
from llm_inference_router.store.report import MIN_FOR_INTERVAL, Group, Latency, Report, report
from llm_inference_router.store.rows import row_of, statements
from llm_inference_router.store.schema import open_writer
from llm_inference_router.store.sqlite import SqliteStore
from llm_inference_router.types import Attempt, Record, Usage
from tests.store.build import NOON, record, taken_in


def fill(path: Path, records: Sequence[Record]) -> Path:
    with closing(open_writer(path)) as connection:
        for sql, values in statements([row_of(one, decision_in(one)) for one in records]):
            connection.execute(sql, values)
    return path


def of(groups: tuple[Group, ...], name: str) -> Group:
    return next(group for group in groups if group.name == name)


def nearest_rank(values: list[float], percent: int) -> float | None:
    ordered = sorted(values)
    return ordered[math.ceil(percent * len(ordered) / 100) - 1] if ordered else None


def latency(values: list[float | None]) -> Latency:
    known = [value for value in values if value is not None]
    return Latency(len(known), *(nearest_rank(known, percent) for percent in (50, 95, 99)))


milliseconds = st.floats(0, 1e6, allow_nan=False)
usages = st.builds(
    Usage,
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    source=st.sampled_from(["reported", "estimated"]),
)


@st.composite
def records(draw: st.DrawFn) -> Record:
    return record(
        at=NOON + draw(st.integers(-5, 5)),
        route=draw(st.sampled_from(["auto", "best"])),
        model=(model := draw(st.sampled_from(["little", "big", ""]))),
        tier={"little": "small", "big": "large", "": ""}[model],
        status=draw(st.sampled_from([200, 200, 499, 502])),
        error=draw(st.sampled_from([None, None, "upstream_unavailable"])),
        stream=draw(st.booleans()),
        usage=draw(st.none() | usages),
        cost=draw(st.integers(0, 2**63 - 1)),
        baseline_cost=draw(st.integers(0, 2**63 - 1)),
        ttft_ms=draw(st.none() | milliseconds),
        total_ms=draw(milliseconds),
        simulated=draw(st.booleans()),
    )


def check(group: Group, kept: list[Record], everything: int) -> None:
    ended = [one.outcome for one in kept]
    used = [one.usage for one in ended if one.usage is not None]
    assert group.requests == len(ended)
    assert group.share == len(ended) / everything
    assert group.spend == sum(one.cost for one in ended)
    assert group.baseline == sum(one.baseline_cost for one in ended)
    assert group.saving.amount == group.baseline - group.spend
    assert group.errors == sum(one.error is not None and one.status != 499 for one in ended)
    assert group.left == sum(one.status == 499 for one in ended)
    assert group.streams == sum(one.stream for one in ended)
    assert group.simulated == sum(one.simulated for one in ended)
    assert group.with_usage == len(used)
    assert group.estimated == sum(usage.source == "estimated" for usage in used)
    assert group.input_tokens == sum(usage.input_tokens for usage in used)
    assert group.output_tokens == sum(usage.output_tokens for usage in used)
    assert group.ttft == latency([one.ttft_ms for one in ended])
    assert group.total == latency([one.total_ms for one in ended])


@settings(max_examples=40, deadline=None)
@given(st.lists(records(), max_size=40), st.integers(-6, 6), st.none() | st.integers(-6, 6))
def test_every_figure_equals_the_sum_over_the_records_of_the_window(
    kept: list[Record], since: int, until: int | None
) -> None:
    until_ms = None if until is None else NOON + until
    with TemporaryDirectory() as folder:
        found = report(fill(Path(folder) / "router.db", kept), NOON + since, until_ms)
    inside = [
        one for one in kept if one.decision.at >= NOON + since and (until_ms is None or one.decision.at < until_ms)
    ]
    check(found.all, inside, len(inside) or 1)
    for groups, field in ((found.routes, "route"), (found.models, "model"), (found.tiers, "tier")):
        names = {getattr(one.outcome, field) for one in inside}
        assert {group.name for group in groups} == names
        for group in groups:
            check(group, [one for one in inside if getattr(one.outcome, field) == group.name], len(inside))
        assert [group.requests for group in groups] == sorted((g.requests for g in groups), reverse=True)
    assert sum(count.requests for count in found.reasons) == len(inside)
    assert found.attempts.total == sum(len(one.attempts) for one in inside)


def test_sums_pass_64_bits(tmp_path: Path) -> None:
    kept = [record(cost=2**63 - 1, baseline_cost=2**63 - 1) for _ in range(40)]
    assert report(fill(tmp_path / "router.db", kept)).all.spend == 40 * (2**63 - 1)


def test_retries_stay_with_the_model_and_fallbacks_leave_it(tmp_path: Path) -> None:
    def tries(*models: str) -> Record:
        one = record()
        attempts = tuple(
            Attempt(one.decision.id, number, model, f"{model}/0", NOON, outcome, 200, None, 1.0)
            for number, model in enumerate(models, 1)
            for outcome in ["ok" if number == len(models) else "reset"]
        )
        return Record(one.decision, attempts, one.outcome)

    found = report(fill(tmp_path / "router.db", [tries("a", "a", "b"), tries("a"), tries("b", "a", "a", "a"), tries()]))
    assert (found.attempts.total, found.attempts.failed) == (8, 5)
    assert (found.attempts.retries, found.attempts.fallbacks) == (3, 2)


def test_the_interval_holds_the_true_saving_about_nineteen_times_in_twenty(tmp_path: Path) -> None:
    chance = random.Random(5)
    hits = 0
    for number in range(60):
        kept = [
            record(
                baseline_cost=(price := chance.randrange(1, 1000) * 1000),
                cost=price // chance.choice([1, 10]),
            )
            for _ in range(100)
        ]
        saving = report(fill(tmp_path / f"{number}.db", kept)).all.saving
        assert saving.low is not None
        assert saving.high is not None
        hits += saving.low <= 0.45 <= saving.high  # half save nine tenths
    assert 52 <= hits <= 59


def test_few_requests_have_no_interval_and_no_price_no_ratio(tmp_path: Path) -> None:
    few = report(fill(tmp_path / "few.db", [record() for _ in range(MIN_FOR_INTERVAL - 1)])).all.saving
    assert few.ratio == pytest.approx(0.9)
    assert (few.low, few.high) == (None, None)
    free = report(fill(tmp_path / "free.db", [record(cost=0, baseline_cost=0)])).all.saving
    assert (free.amount, free.ratio) == (0, None)


def test_an_empty_database_has_an_empty_report(tmp_path: Path) -> None:
    found = report(fill(tmp_path / "router.db", []))
    assert (found.all.requests, found.routes, found.first_ms) == (0, (), None)


def test_a_missing_database_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreFault, match=r"router\.db"):
        report(tmp_path / "router.db")


def test_the_report_is_read_beside_a_running_store(tmp_path: Path) -> None:
    async def work() -> Report:
        store = SqliteStore.open(f"sqlite:///{tmp_path}/router.db")
        try:
            await store.append(record())
            await taken_in(store)
            return await asyncio.to_thread(report, store.path)
        finally:
            await store.close()

    found = asyncio.run(work())
    assert of(found.models, "little").requests + of(found.tiers, "small").requests == 2
