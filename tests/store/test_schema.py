import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from llm_inference_router.effects import new_id
from llm_inference_router.store.base import StoreFault
from llm_inference_router.store.lines import decision_in
from llm_inference_router.store.rows import row_of, statements
from llm_inference_router.store.schema import STEPS, floor_id, open_reader, open_writer, path_of
from tests.store.build import record


def test_a_new_file_has_every_step_and_every_table(tmp_path: Path) -> None:
    with closing(open_writer(tmp_path / "router.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        found = connection.execute("SELECT name, type FROM sqlite_master WHERE type <> 'index'").fetchall()
    views = dict.fromkeys(("decisions", "outcomes", "attempts", "contents"), "view")
    assert dict(found) == {"records": "table", "idempotency": "table"} | views


def test_what_is_deleted_is_overwritten_whatever_sqlite_was_built_with(tmp_path: Path) -> None:
    with closing(open_writer(tmp_path / "a.db")) as connection:
        assert connection.execute("PRAGMA secure_delete").fetchone() == (1,)


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "router.db"
    open_writer(path).close()
    before = path.read_bytes()
    open_writer(path).close()
    assert path.read_bytes() == before


def test_a_step_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "router.db"
    open_writer(path).close()
    bad = (*STEPS, ("CREATE TABLE more (id TEXT)", "CREATE TABLE more (id TEXT)"))
    with monkeypatch.context() as patch:
        patch.setattr("llm_inference_router.store.schema.STEPS", bad)
        with pytest.raises(sqlite3.OperationalError, match="already exists"):
            open_writer(path)
    with closing(open_writer(path)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'more'").fetchone() == (0,)


def test_a_later_step_keeps_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, kept = tmp_path / "router.db", record()
    with closing(open_writer(path)) as connection:
        for sql, values in statements([row_of(kept, decision_in(kept))]):
            connection.execute(sql, values)
    monkeypatch.setattr(
        "llm_inference_router.store.schema.STEPS", (*STEPS, ("ALTER TABLE records ADD COLUMN more TEXT",))
    )
    with pytest.raises(StoreFault, match="older database"):
        open_reader(path)
    with closing(open_writer(path)) as connection:
        assert connection.execute("SELECT id, more FROM records").fetchall() == [(kept.decision.id, None)]
        assert connection.execute("PRAGMA user_version").fetchone() == (len(STEPS) + 1,)


def test_a_newer_file_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "router.db"
    with closing(open_writer(path)) as connection:
        connection.execute(f"PRAGMA user_version={len(STEPS) + 1}")
    before = path.read_bytes()
    for opening in (open_writer, open_reader):
        with pytest.raises(StoreFault, match="newer one: upgrade"):
            opening(path)
    assert path.read_bytes() == before


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE songs (name TEXT)")
    with pytest.raises(StoreFault, match="songs"):
        open_writer(path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "router.db"
    path.write_bytes(b"models: []\n" * 200)
    with pytest.raises(StoreFault, match="not a database"):
        open_writer(path)


def test_a_reader_makes_no_file_and_cannot_write(tmp_path: Path) -> None:
    path = tmp_path / "router.db"
    with pytest.raises(StoreFault, match="no such database"):
        open_reader(path)
    assert not path.exists()
    open_writer(path).close()
    with closing(open_reader(path)) as connection, pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM records")


@pytest.mark.parametrize("at", [0, 1, 1_790_000_000_000, 2**48 - 2])
def test_the_floor_of_a_time_divides_ids_by_their_time(at: int) -> None:
    assert floor_id(at) <= new_id(at) < floor_id(at + 1)
    assert floor_id(-5) == floor_id(0)


def test_a_relative_url_is_relative_and_an_absolute_one_absolute() -> None:
    assert path_of("sqlite:///data/router.db") == Path("data/router.db")
    assert path_of("sqlite:////data/router.db") == Path("/data/router.db")


def test_a_value_of_the_wrong_type_is_refused(tmp_path: Path) -> None:
    if sqlite3.sqlite_version_info < (3, 37, 0):
        pytest.skip("this SQLite has no STRICT tables")
    bad = record(error=b"\x00")
    with closing(open_writer(tmp_path / "router.db")) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute(*next(iter(statements([row_of(bad, decision_in(bad))]))))
