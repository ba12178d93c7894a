"""Few labels of a new model: the prior holds without them, and they win in the end."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_inference_router.learning.cold import (
    HEADS_FROM,
    Crowd,
    Learned,
    Spread,
    crowd,
    learn,
    line_logits,
    nobody,
    own_of,
    weights_of,
    without,
)
from llm_inference_router.learning.lens import DIRECTIONS, latent_size
from llm_inference_router.learning.loading import Calibration, Labelled, Loading, Own, Panel

KINDS = 2
SIZE = latent_size(KINDS)
SPREAD = Spread(offset=1.0)
STRAIGHT = Calibration(
    tuple(np.linspace(-12, 12, 4001).tolist()), tuple((1 / (1 + np.exp(-np.linspace(-12, 12, 4001)))).tolist())
)


def requests(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(count, SIZE))
    share = rng.random(count)
    found[:, -2], found[:, -1] = share, 1 - share
    return found


def own(offset: float, directions: tuple[float, ...] = (0.0,) * DIRECTIONS) -> Own:
    return Own(offset, directions, (0.1, -0.1), 0.1, 1000)


def answers(latents: np.ndarray, logits: np.ndarray, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    drawn: np.ndarray = (rng.random(len(latents)) < 1 / (1 + np.exp(-logits))).astype(float)
    return drawn


def known() -> Crowd:
    return crowd([own(0.5, (1.0, 0, 0)), own(0.1, (0, 1.0, 0)), own(-0.3, (0, 0, 1.0)), own(0.2)], requests(400))


def test_without_labels_it_is_the_mean_of_the_known_models() -> None:
    nothing = np.zeros((0, SIZE)), np.zeros(0), np.zeros(0)
    learned = learn(*nothing, known(), SPREAD, kinds=KINDS, requests=requests(50))
    assert learned.labels == 0
    assert learned.weights == pytest.approx(known().mean)
    bare = learn(*nothing, nobody(SIZE), SPREAD, kinds=KINDS)
    assert not bare.weights.any()
    assert bare.sds(requests(5)).min() >= SPREAD.offset


def test_known_models_are_told_apart_by_their_ways() -> None:
    found = known()
    latents = requests(400)
    x = np.hstack([np.ones((400, 1)), latents])
    values = x @ found.ways.T
    assert len(found.ways) == 3
    assert values.mean(0) == pytest.approx(np.zeros(3), abs=1e-9)
    assert values.std(0) == pytest.approx(np.ones(3))
    assert np.corrcoef(values.T) == pytest.approx(np.eye(3), abs=1e-9)
    assert sorted(found.sds, reverse=True) == list(found.sds)


def test_few_known_models_say_less() -> None:
    assert crowd([own(0.4)], requests(9)).ways.shape == (0, 1 + SIZE)
    assert crowd([own(0.4)], requests(9)).mean[0] == 0.4
    assert crowd([own(0.4), own(0.4)], requests(9)).ways.shape == (0, 1 + SIZE)  # they do not differ
    assert crowd([own(0.4, (1.0, 0, 0)), own(0.2)], requests(9)).ways.shape == (1, 1 + SIZE)


def heads_of(learned: Learned) -> tuple[float, ...]:
    return (learned.weights[1], *learned.weights[1 + SIZE - KINDS - DIRECTIONS : 1 + SIZE - KINDS])


@pytest.mark.parametrize("count", [1, 10, 50, HEADS_FROM - 1])
def test_below_the_threshold_only_intercepts_move(count: int) -> None:
    latents = requests(count, 3)
    scores = answers(latents, 2.0 * latents[:, 0])
    learned = learn(latents, np.zeros(count), scores, nobody(SIZE), SPREAD, kinds=KINDS)
    assert heads_of(learned) == (0.0,) * (1 + DIRECTIONS)
    assert learned.weights[0] != 0


def test_below_the_threshold_known_ways_move_and_free_heads_do_not() -> None:
    latents, way = requests(200, 3), known()
    scores = answers(latents, 3.0 * latents[:, 2 + 4])
    learned = learn(latents, np.zeros(200), scores, way, SPREAD, kinds=KINDS)
    moved = learned.weights - way.mean
    inside = np.vstack([way.ways, np.eye(1 + SIZE)[[0, SIZE - 1, SIZE]]])
    left = moved - np.linalg.lstsq(inside.T, moved, rcond=None)[0] @ inside
    assert np.abs(moved).max() > 0.1
    assert left == pytest.approx(np.zeros(1 + SIZE), abs=1e-9)


def test_from_the_threshold_on_the_heads_move() -> None:
    latents = requests(HEADS_FROM, 3)
    scores = answers(latents, 2.0 * latents[:, 0])
    learned = learn(latents, np.zeros(HEADS_FROM), scores, nobody(SIZE), SPREAD, kinds=KINDS)
    assert all(heads_of(learned))
    assert learned.weights[1] > 0.5


def test_kinds_are_held_back_more_than_the_offset() -> None:
    latents = requests(40)
    learned = learn(latents, np.zeros(40), np.ones(40), nobody(SIZE), SPREAD, kinds=KINDS)
    assert learned.weights[0] > 2 * abs(learned.weights[-KINDS:]).max()


def test_labels_win_in_the_end_and_doubt_shrinks() -> None:
    latents, true = requests(20_000), 0.8
    base = -latents[:, 0]
    scores = answers(latents, base + true)
    doubts, errors = [], []
    for count in (0, 10, 100, 1000, 20_000):
        learned = learn(
            latents[:count], base[:count], scores[:count], nobody(SIZE), SPREAD, kinds=KINDS, requests=latents
        )
        doubts.append(float(learned.sds(latents[:50]).mean()))
        errors.append(float(np.abs(learned.logits(latents) - true).mean()))
    assert doubts == sorted(doubts, reverse=True)
    assert errors[-1] < 0.08 < errors[0]
    assert doubts[-1] < 0.08


def test_the_posterior_is_where_its_gradient_vanishes() -> None:
    latents = requests(60, 4)
    scores = answers(latents, np.full(60, 1.0))
    base = 0.3 * latents[:, 0]
    learned = learn(latents, base, scores, nobody(SIZE), SPREAD, kinds=KINDS)
    theta = learned.weights[[0, SIZE - 1, SIZE]]
    chance = 1 / (1 + np.exp(-(base + learned.logits(latents))))
    design = np.hstack([np.ones((60, 1)), latents[:, -KINDS:]])
    gradient = design.T @ (chance - scores) + theta / np.square([1.0, SPREAD.kind, SPREAD.kind])
    assert gradient == pytest.approx(np.zeros(3), abs=1e-8)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 30), st.integers(0, 10_000), st.sampled_from([-40.0, 0.0, 40.0]))
def test_whatever_the_labels_are_the_result_is_finite(count: int, seed: int, shift: float) -> None:
    latents = requests(count, seed)
    scores = np.random.default_rng(seed).random(count)
    learned = learn(latents, np.full(count, shift), scores, known(), SPREAD, kinds=KINDS, requests=requests(20))
    assert np.isfinite(learned.weights).all()
    assert (learned.sds(requests(20)) > 0).all()


def test_a_better_score_never_lowers_the_estimate() -> None:
    latents = requests(30, 5)
    base = np.zeros(30)
    scores = np.full(30, 0.5)
    better = scores.copy()
    better[:10] = 1.0
    low = learn(latents, base, scores, nobody(SIZE), SPREAD, kinds=KINDS)
    high = learn(latents, base, better, nobody(SIZE), SPREAD, kinds=KINDS)
    assert float(high.logits(latents).mean()) > float(low.logits(latents).mean())


def test_a_panel_adds_exactly_what_was_learned() -> None:
    latents = requests(HEADS_FROM, 6)
    loading = Loading(0.2, (-1.0, *(0.0,) * (SIZE - 1)), 1.0, "tier")
    base = line_logits(loading, latents)
    scores = answers(latents, base + 1.5 * latents[:, 0] - 0.5)
    learned = learn(latents, base, scores, known(), SPREAD, kinds=KINDS)
    part = own_of(learned, latents, KINDS)
    assert len(part.line) == SIZE - KINDS - DIRECTIONS
    assert weights_of(part, SIZE) == pytest.approx(learned.weights, abs=1e-4)
    panel = Panel({"m": loading}, Labelled((0, 1), {"m": part}), STRAIGHT, STRAIGHT)
    quality, _, covered = panel.qualities(latents)
    assert covered == pytest.approx(np.ones(len(latents)))
    wanted = 1 / (1 + np.exp(-(base + learned.logits(latents))))
    assert quality[:, 0] == pytest.approx(wanted, abs=1e-3)
    assert part.sd == pytest.approx(float(np.sqrt(np.mean(learned.sds(latents) ** 2))), abs=1e-4)


def test_a_part_that_leaves_the_line_alone_says_nothing_of_it() -> None:
    latents = requests(20)
    learned = learn(latents, np.zeros(20), np.ones(20), nobody(SIZE), SPREAD, kinds=KINDS)
    assert own_of(learned, latents, KINDS).line == ()


def test_one_model_is_left_out_by_name() -> None:
    models = {"b": own(2.0), "a": own(1.0), "c": own(3.0)}
    assert [one.offset for one in without(models, "b")] == [1.0, 3.0]


@pytest.mark.parametrize(
    ("latents", "base", "scores", "said"),
    [
        (requests(3), np.zeros(2), np.zeros(3), "do not fit"),
        (requests(3), np.zeros(3), np.zeros(4), "do not fit"),
        (requests(3)[:, 1:], np.zeros(3), np.zeros(3), "another size"),
        (requests(3), np.zeros(3), np.array([0, np.nan, 1]), "finite"),
        (requests(3), np.zeros(3), np.array([0, 1.5, 1]), "within 0..1"),
    ],
)
def test_what_does_not_fit_is_refused(latents: np.ndarray, base: np.ndarray, scores: np.ndarray, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        learn(latents, base, scores, nobody(SIZE), SPREAD, kinds=KINDS)
