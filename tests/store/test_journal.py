"""The journal against a model: a list of lines, some taken."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from llm_inference_router.store import journal
from llm_inference_router.store.journal import Journal
from tests.store.build import half

LINES = st.binary(min_size=1, max_size=60).map(lambda line: line.replace(b"\n", b"x").replace(b"\0", b"y"))


class Journalled(RuleBasedStateMachine):
    """`lines`: all that were appended, with the place behind each; `taken`: how many of them the database has."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(journal, "_TAKEN", 400)
        self.patch.setattr(journal, "_REST", 200)
        self.folder = tempfile.TemporaryDirectory()
        self.database = Path(self.folder.name) / "router.db"
        self.journal = Journal.open(self.database)
        self.lines: list[tuple[bytes, int]] = []
        self.taken = 0

    @rule(line=LINES)
    def append(self, line: bytes) -> None:
        start, end = self.journal.append(line + b"\n")
        assert start == (self.lines[-1][1] if self.lines else start)
        assert end == start + len(line) + 1
        self.lines.append((line, end))

    @rule(line=LINES, share=st.floats(0, 0.99))
    def append_on_a_full_disk(self, line: bytes, share: float) -> None:
        """Some of it may be written; nothing of it is ever read."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "pwrite", half(share))
            with pytest.raises(OSError, match="No space"):
                self.journal.append(line + b"\n")

    @rule(share=st.floats(0, 1), erase=st.booleans())
    def take(self, share: float, erase: bool) -> None:
        self.taken = max(self.taken, round(share * len(self.lines)))
        self.journal.take(self.lines[self.taken - 1][1] if self.taken else 0, erase=erase)
        if erase:
            assert self.file() == self.left()

    @rule(renamed=st.booleans(), given_away=st.booleans())
    def lose_its_name(self, renamed: bool, given_away: bool) -> None:
        """It is back, with all that is left, as soon as something is taken; what has its name by then is spared."""
        path = self.journal.path
        if renamed:
            path.rename(path.with_name("moved"))
        else:
            path.unlink()
        if given_away:
            path.write_bytes(b"another's")
        self.journal.take(0)
        assert self.file() == self.left()
        if given_away:
            assert self.journal.path != path
            assert path.read_bytes() == b"another's"
            path.unlink()

    @rule(share=st.floats(0, 1))
    def be_cut(self, share: float) -> None:
        """By somebody else: what is gone is gone, and what comes is there."""
        with self.journal.path.open("r+b") as file:
            file.truncate(round(share * self.journal.path.stat().st_size))
        left = self.left()
        found = self.read()
        whole = [line for line in found if line in left]
        assert whole == left[: len(whole)]
        assert len(found) <= len(whole) + 1, "at most one is torn"
        self.journal.append(b"more\n")
        assert self.read() == [*found, b"more"]
        self.journal.take(self.journal.end)
        self.lines, self.taken = [], 0

    @rule(torn=st.binary(max_size=9).map(lambda line: line.replace(b"\n", b"x")))
    def crash(self, torn: bytes) -> None:
        """Nothing is lost that was not taken; what is taken may be there once more."""
        own = self.journal.path
        os.close(self.journal._descriptor)
        with own.open("ab") as file:
            file.write(torn)
        own.with_name(own.name + ".new").write_bytes(b"half of a ")
        self.journal = Journal.open(self.database)
        found = self.read()
        left = self.left()
        assert not left or found[-len(left) :] == left
        assert found == [line for line, _ in self.lines][len(self.lines) - len(found) :]
        places = [sum(len(line) + 1 for line in found[: at + 1]) for at in range(len(found))]
        self.lines = list(zip(found, places, strict=True))
        self.taken = 0

    @invariant()
    def what_is_left_is_read(self) -> None:
        assert self.read() == self.left()
        assert (self.journal.taken == self.journal.end) is (not self.left())

    @invariant()
    def the_file_has_a_bound(self) -> None:
        bytes_left = sum(len(line) + 1 for line in self.left())
        if bytes_left <= journal._REST:
            assert sum(len(line) + 1 for line in self.file()) <= bytes_left + journal._TAKEN + 1

    def teardown(self) -> None:
        self.journal.close()
        self.folder.cleanup()
        self.patch.undo()

    def left(self) -> list[bytes]:
        return [line for line, _ in self.lines[self.taken :]]

    def read(self) -> list[bytes]:
        found: list[bytes] = []
        place = self.journal.taken
        while place < self.journal.end:
            lines, place = self.journal.read(place, 50)
            found += lines
        return found

    def file(self) -> list[bytes]:
        return self.journal.path.read_bytes()[: self.journal.end - self.journal._base].split(b"\n")[:-1]


TestJournal = Journalled.TestCase
TestJournal.settings = settings(deadline=None)


def test_a_move_for_which_there_is_no_room_leaves_nothing_behind_and_is_made_later(tmp_path: Path) -> None:
    one = Journal.open(tmp_path / "router.db")
    one.append(b"line\n")
    one.path.unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "pwrite", half(0.5))
        for _ in range(5):
            with pytest.raises(OSError, match="No space"):
                one.take(0)
    assert list(tmp_path.iterdir()) == []
    one.take(0)
    assert one.path.read_bytes() == b"line\n"
    one.take(5)
    one.close()
