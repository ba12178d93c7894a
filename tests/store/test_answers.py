"""What a router learns again when it starts: the newest complete answers of each model, oldest first."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from llm_inference_router.store.answers import Answered, answers
from llm_inference_router.store.base import StoreFault
from llm_inference_router.store.sqlite import SqliteStore
from llm_inference_router.types import Quantiles, Record, Usage
from tests.store.build import NOON, record


def filled(path: Path, records: list[Record]) -> Path:
    async def fill() -> None:
        store = SqliteStore.open(f"sqlite:///{path}")
        await asyncio.gather(*map(store.append, records))
        await store.close()

    asyncio.run(fill())
    return path


def one(number: int, model: str = "little", output: int = 40, **outcome: Any) -> Record:
    usage = Usage(120, output, reasoning_tokens=output // 2, source="reported")
    fields: dict[str, Any] = {"model": model, "usage": usage} | outcome
    return record(at=NOON + number, **fields)


def test_each_models_newest_answers_come_oldest_first(tmp_path: Path) -> None:
    kept = [one(number, "little" if number % 5 else "big", output=number + 1) for number in range(50)]
    found = answers(filled(tmp_path / "r.db", kept), each=8)
    lengths = {name: [a.usage.output_tokens for a in found if a.model == name] for name in ("little", "big")}
    assert lengths["big"] == [11, 16, 21, 26, 31, 36, 41, 46]
    assert lengths["little"] == [42, 43, 44, 45, 47, 48, 49, 50]


def test_an_answer_has_what_lengths_are_learned_from(tmp_path: Path) -> None:
    whole = one(1)
    many = structs.replace(whole, decision=structs.replace(whole.decision, choices=3))
    cut = one(2, finish_reason="length", usage=Usage(120, 50, source="estimated"))
    path = filled(tmp_path / "r.db", [many, cut])
    usage = Usage(120, 40, reasoning_tokens=20, source="reported")
    assert answers(path, 10) == [
        Answered("little", Quantiles(50, 200), usage, "stop", 3),
        Answered("little", Quantiles(50, 200), Usage(120, 50, source="estimated"), "length", 1),
    ]


def test_only_complete_answers_are_read(tmp_path: Path) -> None:
    broken = [one(1, status=502, error="reset"), one(2, error="truncated"), one(3, usage=None), one(4, status=499)]
    assert answers(filled(tmp_path / "r.db", broken), 10) == []


def test_only_so_many_rows_are_read(tmp_path: Path) -> None:
    path = filled(tmp_path / "r.db", [one(number, output=number + 1) for number in range(20)])
    assert [a.usage.output_tokens for a in answers(path, 100, rows=3)] == [18, 19, 20]


def test_when_its_time_is_over_it_is_content_with_the_newest(tmp_path: Path) -> None:
    path = filled(tmp_path / "r.db", [one(number, output=number + 1) for number in range(200)])
    found = [a.usage.output_tokens for a in answers(path, 200, within_s=-1.0)]
    assert 0 < len(found) < 200
    assert found == list(range(201 - len(found), 201))


def test_records_from_before_choices_and_lengths_were_kept_are_read(tmp_path: Path) -> None:
    path = filled(tmp_path / "r.db", [one(1), one(2)])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE records SET json = json_remove(json, '$.choices', '$.candidates[0].output_tokens')")
        connection.execute("UPDATE records SET json = '{}' WHERE ended_at = ?", (NOON + 2 + 900,))
    assert [a.choices for a in answers(path, 10)] == [1]


def test_a_missing_database_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(StoreFault, match="no such database"):
        answers(tmp_path / "none.db", 10)
