"""The demo's prompts: enough of each kind, in ten languages, of one's own, and valid requests."""

import json
from collections import Counter

import pytest

from llm_inference_router.backends import simulated_text
from llm_inference_router.backends.simulated_answer import imagine
from llm_inference_router.demo import documents, prompts
from llm_inference_router.dialects.chat import parse

LEAST = {
    "greeting": 30,
    "fact": 50,
    "service": 50,
    "moderation": 25,
    "code": 40,
    "mathematics": 40,
    "writing": 15,
    "long_document": 20,
    "tool_use": 25,
    "multi_turn": 20,
    "json_output": 20,
}


def test_there_are_enough_prompts_of_every_category() -> None:
    counts = Counter(prompt.category for prompt in prompts.load())
    assert set(counts) == set(LEAST)
    assert {name: counts[name] for name in LEAST if counts[name] < LEAST[name]} == {}
    assert counts.total() >= 300


def test_more_than_ten_languages_beside_each_other() -> None:
    counts = Counter(prompt.language for prompt in prompts.load())
    assert {"en", "de", "fr", "es", "it", "pt", "ru", "ar", "hi", "zh", "ja"} == set(counts)
    assert min(counts.values()) >= 8


def test_ids_and_texts_are_unique() -> None:
    every = prompts.load()
    assert len({prompt.id for prompt in every}) == len(every)
    assert len({json.dumps(prompts.body(prompt)["messages"]) for prompt in every}) == len(every)
    assert len({(prompt.shown, prompt.category) for prompt in every}) == len(every)


def test_difficulties_are_shares_and_most_traffic_is_simple() -> None:
    every = prompts.load()
    assert all(0 < prompt.difficulty < 1 for prompt in every)
    assert 0.68 <= sum(prompt.simple for prompt in every) / len(every) <= 0.78
    assert sum(prompt.difficulty > 0.6 for prompt in every) >= 20


@pytest.mark.parametrize("prompt", prompts.load(), ids=lambda prompt: prompt.id)
def test_every_prompt_is_a_request_that_the_router_reads(prompt: prompts.Prompt) -> None:
    body = {"model": "auto", **prompts.body(prompt)}
    request = parse(json.dumps(body).encode())
    assert request.tools == len(prompt.tools)
    assert request.body["metadata"] == {"difficulty": f"{prompt.difficulty:.2f}"}


def test_tools_and_schemas_are_answered_as_such() -> None:
    for prompt in prompts.load():
        answer = imagine(prompts.body(prompt), model="sim", tier="large")
        said = answer.choices[0]
        assert said.finish_reason in ("stop", "tool_calls"), prompt.id
        if prompt.category == "tool_use" and not prompt.messages:
            assert said.tool is not None, prompt.id
            assert said.tool.name in prompt.tools
        if prompt.schema is not None or said.tool is not None:
            json.loads(said.text)


@pytest.mark.parametrize("count", [1, 7, 40, 376, 400, 800])
def test_any_number_can_be_chosen_spread_over_the_difficulties(count: int) -> None:
    chosen = prompts.chosen(count)
    assert len(chosen) == count
    assert chosen == prompts.chosen(count)
    if count >= 40:
        simple = sum(prompt.simple for prompt in chosen) / count
        assert abs(simple - sum(prompt.simple for prompt in prompts.load()) / len(prompts.load())) < 0.06
        assert max(prompt.difficulty for prompt in chosen) > 0.7


@pytest.mark.parametrize("kind", documents.KINDS)
def test_documents_have_their_length_and_are_the_same_each_time(kind: str) -> None:
    text = documents.write(kind, 3000, seed=5)
    assert text == documents.write(kind, 3000, seed=5)
    assert text != documents.write(kind, 3000, seed=6)
    assert 3000 * 0.85 < simulated_text.count(text) < 3000 * 1.2


def test_long_documents_reach_from_two_to_fifteen_thousand_tokens() -> None:
    tokens = [prompt.document.tokens for prompt in prompts.load() if prompt.document]
    assert (min(tokens) >= 2000, max(tokens)) == (True, 15000)
