"""What a calibration has done so far: a file that only grows, so that a run that was killed goes on and pays nothing
twice.

One JSON object a line: first the plan, then one line for each answer and verdict, written to the disk before the next
step begins. A last line that was cut is dropped. What was paid for at the very moment of a kill, and not yet written,
is the only thing that can be paid for again.
"""

import os
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from llm_inference_router.evaluation.judging import Step

FORMAT = 1


class WorkError(ValueError):
    """A work file that cannot be gone on with."""


class Plan(Struct, frozen=True, tag_field="line", tag="plan", omit_defaults=True):
    """What all lines of a file belong to. A prompt is known by the hash of its text, so prompts may be added."""

    route: str
    models: tuple[str, ...]
    strongest: str
    judge: str
    max_output: int
    format: int = FORMAT


class Done(Struct, frozen=True, tag_field="line", tag="done"):
    """One step on one prompt. `first` and `second` are verdicts, named after the place in which this model's answer
    stood. `text` None: it did not come, and `detail` says why. `cost` in picodollars."""

    prompt: str
    model: str
    step: Step
    text: str | None
    cost: int
    at: int
    detail: str = ""


class WorkLog:
    """Opened with `open_log`. `done` has the last line of each step; `spent` the cost of all lines."""

    def __init__(self, file: BinaryIO, lines: list[Done]) -> None:
        self._file = file
        self.done: dict[tuple[str, str, Step], Done] = {(one.prompt, one.model, one.step): one for one in lines}
        self.spent = sum(one.cost for one in lines)

    def add(self, one: Done) -> None:
        """Returns when the line is on the disk. Raises OSError."""
        _write(self._file, one)
        self.done[one.prompt, one.model, one.step] = one
        self.spent += one.cost

    def text(self, prompt: str, model: str, step: Step) -> str | None:
        one = self.done.get((prompt, model, step))
        return None if one is None else one.text

    def close(self) -> None:
        self._file.close()


def open_log(path: Path, plan: Plan) -> WorkLog:
    """Makes the file or goes on with it. Raises WorkError for one of another plan or with broken lines, OSError for
    one that cannot be written."""
    file = path.open("a+b")
    try:
        file.seek(0)
        data = file.read()
        whole = data.rfind(b"\n") + 1
        lines = data[:whole].splitlines()
        if not lines and not msgspec.json.encode(plan).startswith(data):
            raise WorkError(f"{path}: is no work file of `llm-router calibrate`")
        done = _read(path, lines, plan) if lines else []
        if whole < len(data):
            file.truncate(whole)
        if not lines:
            _write(file, plan)
        return WorkLog(file, done)
    except BaseException:  # whatever it is, the file does not stay open
        file.close()
        raise


def _read(path: Path, lines: list[bytes], plan: Plan) -> list[Done]:
    try:
        found = msgspec.json.decode(lines[0], type=Plan)
    except msgspec.DecodeError as error:
        raise WorkError(f"{path}: is no work file of `llm-router calibrate`: {error}") from error
    for name in ("format", "route", "models", "strongest", "judge", "max_output"):
        was, now = getattr(found, name), getattr(plan, name)
        if was != now:
            raise WorkError(
                f"{path}: was begun with {name} {was}, not {now}; go on as it was begun, or write to another file"
            )
    decoder = msgspec.json.Decoder(Done)
    done = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            done.append(decoder.decode(line))
        except msgspec.DecodeError as error:
            raise WorkError(f"{path}:{number}: {error}") from error
    return done


def _write(file: BinaryIO, line: Struct) -> None:
    file.write(msgspec.json.encode(line) + b"\n")
    file.flush()
    os.fsync(file.fileno())
