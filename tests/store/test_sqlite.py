"""The contract of every store, run over each there is, and what is SQLite's own."""

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pytest
from msgspec import structs

from llm_inference_router.errors import ConfigError
from llm_inference_router.store import turns
from llm_inference_router.store.base import Store, StoreFault
from llm_inference_router.store.schema import floor_id
from llm_inference_router.store.sqlite import SqliteStore
from llm_inference_router.types import Record, Turn
from tests.store.build import NOON, record, taken_in

Opener: TypeAlias = Callable[[Path], SqliteStore]
STORES: dict[str, Opener] = {"sqlite": lambda folder: SqliteStore.open(f"sqlite:///{folder}/router.db")}

each_store = pytest.mark.parametrize("opener", STORES.values(), ids=STORES)


def use(store: SqliteStore, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    async def run() -> Any:
        try:
            return await work()
        finally:
            await store.close()

    return asyncio.run(run())


def convert(value: dict[str, Any] | None) -> Record:
    assert value is not None
    return msgspec.convert(msgspec.json.decode(msgspec.json.encode(value)), Record)


@each_store
@pytest.mark.parametrize("attempts", [0, 1, 3])
@pytest.mark.parametrize("content", [False, True])
def test_what_was_appended_is_read_back_equal(opener: Opener, tmp_path: Path, attempts: int, content: bool) -> None:
    store = opener(tmp_path)
    kept = record(attempts=attempts, content=content)

    async def work() -> None:
        await store.append(kept)
        assert convert(store.decision(kept.decision.id)) == kept

    use(store, work)


@each_store
def test_a_record_without_usage_error_or_first_token_is_read_back_equal(opener: Opener, tmp_path: Path) -> None:
    store = opener(tmp_path)
    kept = record(usage=None, error="upstream_unavailable", finish_reason=None, ttft_ms=None, model="", tier="")
    use(store, lambda: store.append(kept))
    assert convert(store.decision(kept.decision.id)) == kept


@each_store
def test_an_unknown_decision_is_none(opener: Opener, tmp_path: Path) -> None:
    store = opener(tmp_path)
    use(store, lambda: store.append(record()))
    assert store.decision("0199-no-such") is None


@each_store
def test_records_come_oldest_first_and_from_the_asked_time_on(opener: Opener, tmp_path: Path) -> None:
    store = opener(tmp_path)
    kept = [record(at=NOON + 1000 * number) for number in (3, 1, 2, 0)]

    async def work() -> None:
        await asyncio.gather(*map(store.append, kept))

    use(store, work)
    ordered = sorted(kept, key=lambda one: one.decision.at)
    assert [convert(one) for one in store.records()] == ordered
    assert [convert(one) for one in store.records(NOON + 2000)] == ordered[2:]


@each_store
def test_appending_again_changes_nothing(opener: Opener, tmp_path: Path) -> None:
    store = opener(tmp_path)
    kept = record(attempts=2)

    async def work() -> None:
        await store.append(kept)
        await store.append(structs.replace(kept, outcome=structs.replace(kept.outcome, status=500)))

    use(store, work)
    assert [convert(one) for one in store.records()] == [kept]


@each_store
def test_what_was_acknowledged_is_there_after_a_restart(opener: Opener, tmp_path: Path) -> None:
    kept = [record() for _ in range(300)]
    store = opener(tmp_path)

    async def work() -> None:
        await asyncio.gather(*map(store.append, kept))

    use(store, work)
    again = opener(tmp_path)
    use(again, lambda: asyncio.sleep(0))
    assert {one["decision"]["id"] for one in again.records()} == {one.decision.id for one in kept}
    assert not list(tmp_path.glob("*.journal*"))


@each_store
def test_pruning_forgets_what_is_older_and_only_that(opener: Opener, tmp_path: Path) -> None:
    store = opener(tmp_path)
    old = [record(at=NOON - 1, content=True, attempts=2) for _ in range(250)]
    young = [record(at=NOON) for _ in range(20)]

    async def work() -> int:
        await asyncio.gather(*map(store.append, old + young))
        return await store.prune(NOON)

    assert use(store, work) == 250
    assert {one["decision"]["id"] for one in store.records()} == {one.decision.id for one in young}
    with closing(sqlite3.connect(store.path)) as connection:
        for table in ("attempts", "outcomes", "contents"):
            left = connection.execute(f"SELECT count(*) FROM {table} WHERE decision_id < ?", (floor_id(NOON),))
            assert left.fetchone() == (0,)


@each_store
def test_a_cancelled_append_is_kept(opener: Opener, tmp_path: Path) -> None:
    store = opener(tmp_path)
    kept = answer("resp_1", "")  # whose append waits for the database

    async def work() -> None:
        task = asyncio.create_task(store.append(kept))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await store.append(record())

    use(store, work)
    assert convert(store.decision(kept.decision.id)) == kept


@each_store
def test_a_closed_store_says_so(opener: Opener, tmp_path: Path) -> None:
    store = opener(tmp_path)
    use(store, lambda: asyncio.sleep(0))
    with pytest.raises(StoreFault, match="closed"):
        asyncio.run(store.append(record()))
    with pytest.raises(StoreFault, match="closed"):
        asyncio.run(store.prune(NOON))
    assert store.dropped == 1


@each_store
def test_of_records_that_come_at_once_each_keeps_its_own_content_or_none(opener: Opener, tmp_path: Path) -> None:
    store = opener(tmp_path)
    wanted = [record(content=bool(number % 3)) for number in range(40)]

    async def work() -> None:
        await asyncio.gather(*map(store.append, wanted))

    use(store, work)
    found = {one["decision"]["id"]: one for one in store.records()}
    assert {name: convert(one) for name, one in found.items()} == {one.decision.id: one for one in wanted}


@each_store
def test_one_record_that_cannot_be_stored_does_not_take_others_with_it(opener: Opener, tmp_path: Path) -> None:
    store = opener(tmp_path)
    good = [record() for _ in range(5)]
    too_dear = record(cost=2**64)
    no_text = record(error="\ud800")

    async def work() -> list[BaseException | None]:
        appends = map(store.append, [*good[:3], too_dear, no_text, *good[3:]])
        return await asyncio.gather(*appends, return_exceptions=True)

    answers = use(store, work)
    dear, textless = answers.pop(3), answers.pop(3)
    assert answers == [None] * 5
    assert isinstance(textless, StoreFault)
    assert dear is None
    assert too_dear.decision.id in (tmp_path / "router.db.unreadable").read_text(), "the database refuses it"
    assert {one["decision"]["id"] for one in store.records()} == {one.decision.id for one in good}
    assert store.dropped == 1


def test_every_store_is_one_for_the_engine() -> None:
    store: type[Store] = SqliteStore  # a mistake here is found by mypy
    assert store is SqliteStore


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("sqlite://", "sqlite:///file.db"),
        ("sqlite:///", "names no file"),
        ("sqlite:///:memory:", "would lose"),
        ("sqlite:///file::memory:?cache=shared", "would lose"),
        ("sqlite:///router.db?timeout=5", "parameters"),
        ("postgresql://localhost/router", "not available yet"),
        ("mysql://localhost/router", "sqlite:///file.db"),
    ],
)
def test_a_url_without_a_file_is_refused_with_a_reason(url: str, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        SqliteStore.open(url)


def test_a_folder_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreFault, match=r"nowhere/router\.db"):
        SqliteStore.open(f"sqlite:///{tmp_path}/nowhere/router.db")


def test_another_process_reads_while_we_write(tmp_path: Path) -> None:
    store = STORES["sqlite"](tmp_path)
    kept = [record(), record()]

    async def work() -> None:
        await store.append(kept[0])
        await taken_in(store)
        with closing(sqlite3.connect(f"file:{store.path}?mode=ro", uri=True)) as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT count(*) FROM outcomes").fetchone() == (1,)
            await store.append(kept[1])
            await taken_in(store)
            assert reader.execute("SELECT count(*) FROM outcomes").fetchone() == (1,)
            reader.execute("COMMIT")
            assert reader.execute("SELECT count(*) FROM outcomes").fetchone() == (2,)

    use(store, work)


def test_two_stores_share_one_file(tmp_path: Path) -> None:
    one, two = STORES["sqlite"](tmp_path), STORES["sqlite"](tmp_path)
    kept = [record() for _ in range(200)]

    async def work() -> None:
        await asyncio.gather(*(store.append(item) for store, item in zip([one, two] * 100, kept, strict=True)))
        await one.close()

    use(two, work)
    use(STORES["sqlite"](tmp_path), lambda: asyncio.sleep(0))
    assert {item["decision"]["id"] for item in two.records()} == {item.decision.id for item in kept}
    assert one.dropped + two.dropped == 0
    assert not list(tmp_path.glob("*.journal*"))


# --- answers that later requests go on from -------------------------------------------------------------------------


def answer(name: str, previous: str, at: int = NOON) -> Record:
    made = record(at, content=True)
    assert made.content is not None
    turn = Turn(name, previous, '[{"role":"user","content":"q"}]', "[]", '{"id":1}')
    return structs.replace(made, content=structs.replace(made.content, turn=turn))


def test_an_answer_is_found_again_for_its_key_alone_in_the_database_or_the_journal(tmp_path: Path) -> None:
    store = SqliteStore.open(f"sqlite:///{tmp_path}/router.db")
    first, second = answer("resp_1", ""), answer("resp_2", "resp_1")
    key = first.decision.key

    async def work() -> None:
        await store.append(first)
        with closing(sqlite3.connect(tmp_path / "router.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await store.append(second)  # the database is locked
            assert store.backlog_bytes
            found = store.thread(key, "resp_2", 10**6)
            assert [turn.id for turn in found.turns] == ["resp_1", "resp_2"]
            assert found.missing == ""
            assert store.thread("another", "resp_2", 10**6).missing == "resp_2"
            other.execute("ROLLBACK")
        assert store.answered(key, first.decision.id)
        assert not store.answered("another", first.decision.id)
        assert convert(store.decision(first.decision.id)) == first

    use(store, work)


def test_an_answer_is_forgotten_for_its_key_alone_in_the_database_or_the_journal(tmp_path: Path) -> None:
    store = SqliteStore.open(f"sqlite:///{tmp_path}/router.db")
    first, second = answer("resp_1", ""), answer("resp_2", "resp_1")
    key = first.decision.key

    async def work() -> None:
        await store.append(first)
        with closing(sqlite3.connect(tmp_path / "router.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await store.append(second)  # the database is locked
            other.execute("ROLLBACK")
        for name in ("resp_1", "resp_2"):
            await store.perform(partial(turns.forget, key="another", name=name))
        assert len(store.thread(key, "resp_2", 10**6).turns) == 2
        await store.perform(partial(turns.forget, key=key, name="resp_2"), erases=True)
        assert store.thread(key, "resp_2", 10**6).turns == ()
        assert store.thread(key, "resp_1", 10**6).turns == (first.content.turn,)  # type: ignore[union-attr]
        kept = store.decision(second.decision.id)
        assert kept is not None
        assert kept["content"] is None
        assert kept["outcome"]["usage"] is not None

    use(store, work)


def test_a_conversation_whose_beginning_was_forgotten_is_not_whole(tmp_path: Path) -> None:
    store = SqliteStore.open(f"sqlite:///{tmp_path}/router.db")

    async def work() -> None:
        first = answer("resp_1", "")
        await store.append(first)
        await store.append(answer("resp_2", "resp_1", NOON + 10))
        await store.prune(NOON + 5)
        found = store.thread(first.decision.key, "resp_2", 10**6)
        assert (found.missing, [turn.id for turn in found.turns]) == ("resp_1", ["resp_2"])

    use(store, work)


def test_a_conversation_is_read_up_to_a_limit(tmp_path: Path) -> None:
    store = SqliteStore.open(f"sqlite:///{tmp_path}/router.db")

    async def work() -> None:
        made = [answer(f"resp_{n}", f"resp_{n - 1}" if n else "") for n in range(10)]
        for one in made:
            await store.append(one)
        found = store.thread(made[0].decision.key, "resp_9", 100)
        assert found.bytes > 100
        assert len(found.turns) == 4

    use(store, work)
