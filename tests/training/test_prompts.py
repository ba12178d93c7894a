"""The prompts written for training: their format, their balance, and that each is a thought of its own."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, get_args

from llm_inference_router.vocabulary import TaskLabel

PATH = Path(__file__).parents[2] / "src" / "llm_inference_router" / "training" / "prompts.jsonl"
LINES = PATH.read_text(encoding="utf-8").splitlines()
ROWS: list[dict[str, Any]] = [json.loads(line) for line in LINES]
TASKS = get_args(TaskLabel)
LANGUAGES = {"en", "de", "fr", "es", "it", "pt", "nl", "pl", "ru", "uk", "tr", "ar", "he", "hi", "zh", "ja", "ko"}
SCRIPTS = {"ru": r"[а-яё]", "uk": r"[а-яіїє]", "ar": r"[ء-ي]", "he": r"[א-ת]", "hi": r"[ऀ-ॿ]", "zh": r"[一-鿿]",
           "ja": r"[぀-ヿ]", "ko": r"[가-힣]"}  # fmt: skip
RUN = 8


def words_of(row: dict[str, Any]) -> str:
    """All that the user and the assistant say in it; a system message may be the same in two requests."""
    if "text" in row:
        return str(row["text"])
    return "\n".join(turn["content"] for turn in row["messages"])


def faults_of(row: dict[str, Any]) -> list[str]:
    body = {"messages"} if "messages" in row else {"text", "system"} & set(row) | {"text"}
    laws = {
        "fields": set(row) == {"id", "task", "level", "kind", "language"} | body,
        "id": re.fullmatch(rf"{row['task']}-\d{{3}}", row["id"]) is not None,
        "task": row["task"] in TASKS,
        "level": 0.0 < row["level"] <= 1.0,
        "kind": re.fullmatch(r"[a-z][a-z0-9_]*", row["kind"]) is not None,
        "language": row["language"] in LANGUAGES,
        "text": words_of(row).strip() != "" and "\ufffd" not in words_of(row),
        "system": row.get("system", "said").strip() != "",
    }
    return [name for name, held in laws.items() if not held]


def test_a_prompt_has_the_fields_of_its_form_and_no_others() -> None:
    assert {row["id"]: faults_of(row) for row in ROWS if faults_of(row)} == {}


def test_a_conversation_ends_with_the_user_and_takes_turns() -> None:
    talks = [row["messages"] for row in ROWS if "messages" in row]
    assert talks
    for messages in talks:
        assert all(set(turn) == {"role", "content"} and turn["content"].strip() for turn in messages)
        roles = [turn["role"] for turn in messages]
        spoken = roles[1:] if roles[0] == "system" else roles
        assert spoken == ["user", "assistant"] * (len(spoken) // 2) + ["user"]
        assert len(spoken) > 1


def test_identities_and_texts_are_unique() -> None:
    assert len({row["id"] for row in ROWS}) == len(ROWS)
    texts = Counter(" ".join(words_of(row).lower().split()) for row in ROWS)
    assert [text for text, count in texts.items() if count > 1] == []


def test_no_two_prompts_share_a_run_of_words() -> None:
    seen: dict[tuple[str, ...], str] = {}
    shared = []
    for row in ROWS:
        words = re.findall(r"\w+", words_of(row).lower())
        for start in range(len(words) - RUN + 1):
            run = tuple(words[start : start + RUN])
            if seen.setdefault(run, row["id"]) != row["id"]:
                shared.append((seen[run], row["id"], " ".join(run)))
    assert shared == []


def test_every_task_is_well_filled() -> None:
    assert len(ROWS) >= 1400
    for task in TASKS:
        rows = [row for row in ROWS if row["task"] == task]
        assert len(rows) >= 130, task
        assert len({row["kind"] for row in rows}) >= 12, task
        assert len({row["language"] for row in rows}) >= 10, task


def test_languages_are_spread() -> None:
    counts = Counter(row["language"] for row in ROWS)
    assert 0.6 <= counts["en"] / len(ROWS) <= 0.8
    assert set(counts) == LANGUAGES
    assert min(counts.values()) >= 15


def test_a_prompt_is_written_in_the_script_of_its_language() -> None:
    for row in ROWS:
        if row["language"] in SCRIPTS:
            assert re.search(SCRIPTS[row["language"]], words_of(row), re.IGNORECASE), row["id"]


def test_levels_reach_from_trivial_to_very_hard() -> None:
    levels = sorted(row["level"] for row in ROWS)
    assert sum(level < 0.15 for level in levels) >= 50
    assert sum(level > 0.85 for level in levels) >= 20
    for task in TASKS:
        mine = [row["level"] for row in ROWS if row["task"] == task]
        assert max(mine) - min(mine) >= 0.4, task


def test_chat_is_easier_than_mathematics_on_the_whole() -> None:
    mean = {
        task: sum(row["level"] for row in ROWS if row["task"] == task) / sum(row["task"] == task for row in ROWS)
        for task in TASKS
    }
    assert min(mean, key=mean.__getitem__) == "chat"
    assert mean["chat"] < 0.3 < 0.5 < mean["mathematics"]


def test_lengths_reach_from_one_word_to_a_page() -> None:
    lengths = [len(words_of(row).split()) for row in ROWS]
    assert min(lengths) == 1
    assert max(lengths) >= 250
    assert sum(length >= 100 for length in lengths) >= 30
