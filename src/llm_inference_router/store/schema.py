"""The table and its views, and how a database file comes to have them: forward only, one step for each version.

Rules:
- `PRAGMA user_version` is the number of steps applied. A step, once released, is never edited; a change is a
  new step.
- Each step is one transaction with the new version inside it: killed half-way, it has not happened.
- A file with more steps than we know is refused, never guessed at.
- Ids are time-ordered (`effects.new_id`), so the primary key is also the index by time: `floor_id` turns a
  time into the smallest id of that time. This saves an index.
- Money is whole picodollars in INTEGER columns.
"""

import sqlite3
from pathlib import Path

from llm_inference_router.errors import ConfigError
from llm_inference_router.store.base import StoreFault

_PAGE_BYTES = 8192  # four records a page; with 4096 it is two, and a third of the page empty

# A try is a JSON array in this order (store.rows writes it); its tokens stay empty where the upstream reported none.
TRY = (
    *["number", "model", "endpoint", "at", "outcome", "status", "ttft_ms", "total_ms", "cost", "detail"],
    *["input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens", "usage_source"],
)
_TRIES = ", ".join(f"json_extract(t.value, '$[{at}]') AS {name}" for at, name in enumerate(TRY))

# STRICT needs SQLite 3.37; older ones (RHEL 9 has 3.34) get the same tables without the check of types.
_STRICT = " STRICT" if sqlite3.sqlite_version_info >= (3, 37, 0) else ""

# One row a record, because a row costs little and a further b-tree much. The rows keep a rowid, so that they lie in the
# order in which they came and only the small index by id is written out of order.
STEPS: tuple[tuple[str, ...], ...] = (
    (
        f"""CREATE TABLE records (
            id TEXT PRIMARY KEY NOT NULL, at INTEGER NOT NULL, route TEXT NOT NULL, reason TEXT NOT NULL,
            chosen TEXT NOT NULL, complexity REAL NOT NULL, band TEXT NOT NULL, task TEXT NOT NULL,
            key TEXT NOT NULL, user TEXT NOT NULL, session TEXT NOT NULL,
            ended_at INTEGER NOT NULL, model TEXT NOT NULL, tier TEXT NOT NULL, status INTEGER NOT NULL, error TEXT,
            finish_reason TEXT, stream INTEGER NOT NULL, attempts INTEGER NOT NULL,
            input_tokens INTEGER, output_tokens INTEGER, cached_tokens INTEGER, cache_write_tokens INTEGER,
            reasoning_tokens INTEGER, usage_source TEXT, cost INTEGER NOT NULL, baseline_cost INTEGER NOT NULL,
            ttft_ms REAL, total_ms REAL NOT NULL, overhead_ms REAL NOT NULL, simulated INTEGER NOT NULL,
            tries TEXT NOT NULL, json TEXT NOT NULL, prompt TEXT, completion TEXT){_STRICT}""",
        """CREATE VIEW decisions AS SELECT
            id, at, route, reason, chosen, complexity, band, task, key, user, session, json FROM records""",
        """CREATE VIEW outcomes AS SELECT
            id AS decision_id, ended_at AS at, route, model, tier, status, error, finish_reason, stream, attempts,
            input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, usage_source,
            cost, baseline_cost, ttft_ms, total_ms, overhead_ms, simulated FROM records""",
        f"""CREATE VIEW attempts AS SELECT r.id AS decision_id, {_TRIES}
            FROM records AS r, json_each(r.tries) AS t""",
        """CREATE VIEW contents AS SELECT
            id AS decision_id, prompt, completion FROM records WHERE prompt IS NOT NULL""",
    ),
    (
        f"""CREATE TABLE idempotency (
            scope TEXT NOT NULL, key TEXT NOT NULL, digest BLOB NOT NULL, owner TEXT NOT NULL, at INTEGER NOT NULL,
            answered INTEGER NOT NULL, decision_id TEXT NOT NULL, answer BLOB,
            PRIMARY KEY (scope, key)){_STRICT}""",
        "CREATE INDEX idempotency_at ON idempotency (at)",
    ),
    # Answers that a later request may go on from: what the client calls one, the one before it, and their items.
    (
        "ALTER TABLE records ADD COLUMN response TEXT",
        "ALTER TABLE records ADD COLUMN previous TEXT",
        "ALTER TABLE records ADD COLUMN input TEXT",
        "ALTER TABLE records ADD COLUMN output TEXT",
        "CREATE INDEX records_response ON records (response) WHERE response IS NOT NULL",
    ),
    # The answer itself without its items, so that it can be read again.
    ("ALTER TABLE records ADD COLUMN answer TEXT",),
)


def path_of(url: str) -> Path:
    """The file of a store URL: `sqlite:///relative.db` or `sqlite:////absolute.db`.

    Raises ConfigError for any other URL, and for a database in memory: it would forget what it
    acknowledged.
    """
    if url.startswith(("postgresql:", "postgres:")):
        raise ConfigError(["store.url: PostgreSQL is not available yet; use sqlite:///router.db"])
    if not url.startswith("sqlite:///"):
        raise ConfigError([f"store.url: {url!r} is not sqlite:///file.db or sqlite:////folder/file.db"])
    name = url.removeprefix("sqlite:///")
    if not name or name.startswith((":memory:", "file:")) or "mode=memory" in name:
        raise ConfigError([f"store.url: {url!r} names no file; a database in memory would lose what was acknowledged"])
    if "?" in name or "#" in name:
        raise ConfigError([f"store.url: {url!r} has parameters after the file name; none are read"])
    return Path(name)


def open_writer(path: Path, *, lock_wait_s: float = 5.0, busy_wait_s: float = 0.003) -> sqlite3.Connection:
    """A connection that may write, in WAL mode, with every step applied; usable from any one thread at a
    time.

    `lock_wait_s` is how long another process may hold the file while we open it, `busy_wait_s` how long
    afterwards. Raises StoreFault when the file is newer than this program or is no database of ours,
    sqlite3.Error otherwise.
    """
    connection = sqlite3.connect(
        path, timeout=lock_wait_s, isolation_level=None, check_same_thread=False, cached_statements=64
    )
    try:
        _check_version(connection, path)
        connection.execute(f"PRAGMA page_size={_PAGE_BYTES}")  # of a new file; another keeps its own
        connection.execute("PRAGMA journal_mode=WAL").fetchone()
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute("PRAGMA secure_delete=ON")  # what is deleted is not left in the file, by no record
        connection.execute("PRAGMA wal_autocheckpoint=0")  # the writer chooses the moment (store.writer)
        _migrate(connection, path)
        connection.execute(f"PRAGMA busy_timeout={int(busy_wait_s * 1000)}").fetchone()
    except BaseException:  # whatever it is, the file does not stay open
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that can only read; it works beside a running writer and never makes a file.

    Raises StoreFault when there is no such database or when it is newer than this program.
    """
    if not path.exists():
        raise StoreFault(f"{path}: there is no such database")
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro",
        uri=True,
        timeout=5.0,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        _refuse_older(_check_version(connection, path), path)
    except sqlite3.Error as error:
        connection.close()
        raise StoreFault(f"{path}: {error}") from error
    except BaseException:  # whatever it is, the file does not stay open
        connection.close()
        raise
    return connection


def floor_id(at_ms: int) -> str:
    """The smallest id of that millisecond: records are kept, and found by time, in the order of their ids."""
    digits = f"{max(0, min(at_ms, 2**48 - 1)):012x}"
    return f"{digits[:8]}-{digits[8:]}"


def _check_version(connection: sqlite3.Connection, path: Path) -> int:
    try:
        found = int(connection.execute("PRAGMA user_version").fetchone()[0])
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        raise StoreFault(f"{path}: {error}") from error
    if found > len(STEPS):
        raise StoreFault(
            f"{path}: version {found} of the tables, but this llm-router knows {len(STEPS)}; "
            "it was written by a newer one: upgrade, or name another file in store.url"
        )
    if found == 0 and tables:
        raise StoreFault(f"{path}: a database of another program (it has the table {min(tables)})")
    return found


def _refuse_older(found: int, path: Path) -> None:
    if found < len(STEPS):
        raise StoreFault(
            f"{path}: an older database (version {found}, ours is {len(STEPS)}); "
            "`llm-router serve` brings it up to date when it opens it"
        )


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    if _check_version(connection, path) == len(STEPS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = int(connection.execute("PRAGMA user_version").fetchone()[0])  # another process may have been faster
        for number, statements in enumerate(STEPS[found:], start=found + 1):
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={number}")
        connection.execute("COMMIT")
    except BaseException:  # a cancellation too: nothing may stay half done
        connection.execute("ROLLBACK")
        raise
