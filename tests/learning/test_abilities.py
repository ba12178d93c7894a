"""Abilities follow the public results, grow with size and date, and know how little they know."""

from itertools import combinations, pairwise

import numpy as np
import pytest

from llm_inference_router.learning.abilities import GROUPS, TASKS, Ability, ability, posterior, shipped
from llm_inference_router.learning.factor import ORIGIN, fit, held_out
from llm_inference_router.learning.families import Match, find
from llm_inference_router.learning.leaderboard import BENCHMARKS, Family, parse, table
from llm_inference_router.learning.spelling import spell, stem

SLACK = 0.25  # logits by which a bigger or newer model may come out worse: public numbers are noisy
NEWER = [
    ("gpt-3.5-turbo", "gpt-4-0613", "gpt-4-1106", "gpt-4o-2024-08-06", "gpt-4.1", "gpt-5", "gpt-5.2"),
    ("gpt-4o-mini", "gpt-4.1-mini", "gpt-5-mini"),
    ("gpt-4.1-nano", "gpt-4.1-mini", "gpt-4.1"),
    ("gpt-5-nano", "gpt-5-mini", "gpt-5"),
    ("o1-mini", "o3-mini", "o4-mini"),
    ("o1-preview", "o1", "o3"),
    ("claude-instant-1", "claude-2", "claude-3-opus", "claude-3.5-sonnet-20241022", "claude-opus-4", "claude-opus-4.5"),
    ("claude-3-haiku", "claude-3-sonnet", "claude-3-opus"),
    ("claude-3-haiku", "claude-3.5-haiku", "claude-haiku-4.5"),
    ("gemini-1.0-pro", "gemini-1.5-pro-002", "gemini-2.0-pro", "gemini-2.5-pro", "gemini-3-pro"),
    ("gemini-1.5-flash-8b", "gemini-1.5-flash-002", "gemini-1.5-pro-002"),
    ("llama-7b", "llama-2-7b", "llama-3-8b", "llama-3.1-8b"),
    ("llama-2-70b", "llama-3-70b", "llama-3.1-70b", "llama-3.3-70b"),
    ("gemma-7b", "gemma-2-9b", "gemma-3-12b"),
    ("mistral-7b-v0.1", "mixtral-8x7b", "mixtral-8x22b", "mistral-large-2407"),
    ("qwen-72b", "qwen-2-72b", "qwen-2.5-72b", "qwen-3-235b-a22b"),
    ("qwen-1.5-7b", "qwen-2-7b", "qwen-2.5-7b", "qwen-3-8b"),
    ("deepseek-llm-67b", "deepseek-v2", "deepseek-v3", "deepseek-v3-0324", "deepseek-v3.2"),
    ("phi-2", "phi-3-mini", "phi-3.5-mini", "phi-4"),
    ("grok-1", "grok-1.5", "grok-2", "grok-3", "grok-4"),
    ("yi-34b", "yi-1.5-34b"),
    ("dolly-v2-12b", "vicuna-13b", "llama-3-8b"),
]


def of(name: str) -> Ability:
    match = find(name)
    assert match is not None, name
    found = ability(match)
    assert found is not None, name
    return found


def made(text: str) -> Family:
    (family,) = parse(f"model\tacme-7b\t\tAcme\t{text}").families
    return family


@pytest.mark.parametrize("names", NEWER, ids=lambda names: f"{names[0]}..{names[-1]}")
def test_newer_and_higher_tiers_are_not_worse(names: tuple[str, ...]) -> None:
    for older, newer in pairwise(names):
        assert of(newer).general >= of(older).general - SLACK, (older, newer)


def test_bigger_is_not_worse_within_a_line() -> None:
    stems = {
        "llama",
        "qwen",
        "gemma",
        "phi",
        "mistral",
        "mixtral",
        "yi",
        "olmo",
        "granite",
        "smollm",
        "internlm",
        "falcon",
    }
    lines: dict[frozenset[str], list[Family]] = {}
    for family in table().families:
        said = spell(family.name, stems)
        if family.total and family.results and not said.stamp and all(stem(word) in stems for word in said.words):
            lines.setdefault(said.words, []).append(family)
    pairs = [pair for line in lines.values() for pair in combinations(sorted(line, key=lambda f: f.total or 0), 2)]
    assert len(pairs) > 60
    worse = {(small.name, big.name) for small, big in pairs if of(big.name).general < of(small.name).general - SLACK}
    assert worse == set()


def test_the_scale_is_that_of_the_docs() -> None:
    assert of(ORIGIN).general == pytest.approx(0, abs=0.01)
    assert -1.5 < of("llama-3-8b").general < -0.4
    assert of("dolly-v2-12b").general < -2.5
    anchors = ("mmlu", "mmlu_pro", "gsm8k", "math", "humaneval", "mbpp", "gpqa")
    assert np.mean([np.log(shipped().benchmarks[name].slope) for name in anchors]) == pytest.approx(0, abs=1e-3)


def test_tasks_follow_their_own_benchmarks() -> None:
    assert set(GROUPS.values()) == set(TASKS)
    coder, general = of("qwen2.5-coder-32b"), of("qwen2.5-32b")
    assert coder.tasks["code"] > coder.general
    assert of("yi-34b").tasks["code"] < of("yi-34b").tasks["knowledge"]
    assert list(general.tasks) == list(general.task_sd) == list(TASKS)


def test_fewer_numbers_leave_more_doubt() -> None:
    shown = [of(name) for name in ("gpt-4o-mini", "mistral-large-2411", "command-r7b")]
    assert [each.sd for each in shown] == sorted(each.sd for each in shown)
    assert len(shown[0].sources) > len(shown[1].sources) > len(shown[2].sources) == 0


def test_a_less_exact_match_leaves_more_doubt() -> None:
    family = next(family for family in table().families if family.name == "llama-3.1-8b")
    sds = [found.sd for kind in ("exact", "variant", "family") if (found := ability(Match(kind, (family,), None)))]
    assert len(sds) == 3
    assert sds == sorted(set(sds))


def test_an_open_name_doubts_as_much_as_its_models_differ() -> None:
    assert of("llama-3.1").sd > of("llama-3.1-8b").sd + 0.3
    assert of("llama-3.1-8b").general < of("llama-3.1").general < of("llama-3.1-405b").general


def test_a_relative_of_another_size_moves_along_the_size_slope() -> None:
    assert of("llama-3-30b").general == pytest.approx(
        of("llama-3-70b").general + shipped().prior[1] * np.log(30 / 70), abs=1e-9
    )


def test_size_and_date_speak_when_nothing_else_does() -> None:
    def guess(row: str) -> float:
        return float(posterior(made(row), shipped()).mean[0])

    assert guess("70\t\t2024-06\t") > guess("7\t\t2024-06\t") > guess("7\t\t2023-06\t")
    assert guess("70\t\t2024-06\t") > guess("70\t7\t2024-06\t")


def test_nothing_known_is_no_ability() -> None:
    assert ability(Match("exact", (made("\t\t2024-06\t"),), None)) is None


def test_a_better_result_never_lowers_the_ability() -> None:
    for name in BENCHMARKS:
        low, high = (
            float(posterior(made(f"7\t\t2024-06\tx: {name} {value}"), shipped()).mean[0])
            for value in ((1000, 1400) if name.startswith("elo") else (40, 80))
        )
        assert high > low, name


def test_the_constants_are_those_of_the_table() -> None:
    """Up to what another linear algebra library may round differently; `--check` compares to the last digit."""
    fitted, kept = fit(table().families), shipped()
    assert fitted.prior == pytest.approx(kept.prior, abs=2e-3)
    assert fitted.spread == pytest.approx(kept.spread, abs=2e-3)
    assert fitted.groups == pytest.approx(kept.groups, abs=2e-3)
    for name, benchmark in kept.benchmarks.items():
        assert fitted.benchmarks[name].slope == pytest.approx(benchmark.slope, abs=2e-3), name
        assert fitted.benchmarks[name].level == pytest.approx(benchmark.level, abs=2e-3), name
        assert fitted.benchmarks[name].noise == pytest.approx(benchmark.noise, abs=2e-3), name


def test_held_out_numbers_are_foretold_as_well_as_promised() -> None:
    errors = held_out(table().families, shipped())
    ratio = float(np.sqrt(np.mean(errors[:, 0] ** 2) / np.mean(errors[:, 1] ** 2)))
    assert 0.85 < ratio < 1.15
    assert np.mean(np.abs(errors[:, 0]) > 2 * errors[:, 1]) < 0.08


def test_a_table_without_a_benchmark_is_refused() -> None:
    with pytest.raises(ValueError, match="no numbers for mmlu_pro"):
        fit([made("7\t\t2024-06\tx: mmlu 50")])
