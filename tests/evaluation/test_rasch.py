"""Rasch's model finds again what made the scores."""

import numpy as np
import pytest

from tests.evaluation.rasch import rasch


def made(questions: int, models: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    difficulty, ability = rng.normal(0, 1.2, questions), np.linspace(-1.5, 1.5, models)
    chance = 1 / (1 + np.exp(difficulty[:, None] - ability[None, :]))
    return difficulty, ability, (rng.random((questions, models)) < chance).astype(float)


def test_difficulties_and_abilities_are_recovered() -> None:
    difficulty, ability, scores = made(600, 30)
    found = rasch(scores)
    assert np.corrcoef(difficulty, found.difficulty)[0, 1] > 0.9
    assert np.abs(found.ability - found.ability.mean() - ability).max() < 0.35


def test_a_question_that_fewer_models_answer_is_harder() -> None:
    found = rasch([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0]])
    assert list(np.argsort(found.difficulty)) == [0, 1, 2, 3]
    assert found.difficulty.mean() == pytest.approx(0, abs=1e-9)


def test_missing_scores_do_not_count() -> None:
    _, _, scores = made(200, 10)
    holes = scores.copy()
    holes[::3, 0] = np.nan
    found = rasch(holes)
    assert np.isfinite(found.difficulty).all()
    assert np.corrcoef(found.difficulty, rasch(scores).difficulty)[0, 1] > 0.97


def test_more_models_make_it_surer() -> None:
    assert rasch(made(50, 20)[2]).error.mean() < rasch(made(50, 4)[2]).error.mean()


@pytest.mark.parametrize("scores", [[1, 0], [[1, 0]], [[[1]]]])
def test_other_shapes_are_errors(scores: object) -> None:
    with pytest.raises(ValueError, match="table of questions by models"):
        rasch(scores)  # type: ignore[arg-type]
