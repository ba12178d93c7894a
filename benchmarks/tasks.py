"""How well the shipped predictor tells what kind of task a prompt is: python -m benchmarks.tasks DATA_FOLDER

Two bodies of prompts, neither of them in the training of tasks (that is the prompts written for it, training/):

    labelled   tasktype_prompts.jsonl: prompts with a task or domain label of their own
    files      the five files of routing results: each benchmark is a task by what it asks for

For each: confusion, precision, recall and F1 of each class with n, and macro-F1 over the classes with 20 prompts or
more, with 95 % bootstrap intervals over prompts. Which label stands for which task is written here, with reasons;
what could be called two things is left out and counted.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from benchmarks.overlap import apart
from llm_inference_router.evaluation.bootstrap import DRAWS, resample, summary
from llm_inference_router.evaluation.data import DataError
from llm_inference_router.evaluation.metrics import Interval
from llm_inference_router.evaluation.readers import read_source
from llm_inference_router.learning.lens import TASKS
from llm_inference_router.training.predictor import shipped
from llm_inference_router.training.train import PROMPTS
from llm_inference_router.types import ChatRequest, Message
from llm_inference_router.vocabulary import TaskLabel

Floats: TypeAlias = NDArray[np.float64]

FILES = ("routerbench_sub", "ulab_llmrouter", "paretobandit", "zeroeval", "routellm_mmlu")
LEAST = 20  # prompts of a class that counts for macro-F1
AIM = 0.75

_QA: TaskLabel = "question_answering"
# Left out: `cluster:` labels (topics, not tasks), domain:other, and domain:computer science (theory and programs
# alike).
# The other domains are exam questions on a subject, so question answering, though some are calculations.
_DOMAINS = (
    *("physics", "history", "economics", "law", "biology", "chemistry"),
    *("health", "engineering", "business", "psychology", "philosophy"),
)
LABELS: Mapping[str, TaskLabel] = {
    "task:coding": "code",
    "task:math": "mathematics",
    "domain:math": "mathematics",
    "task:creative_writing": "writing",
    "task:writing": "writing",
    "task:roleplay": "writing",
    "task:extraction": "extraction",
    "task:reasoning": "reasoning",
    "task:stem": _QA,
    "task:humanities": _QA,
    **{f"domain:{name}": _QA for name in _DOMAINS},
}

# Questions with one short answer that must be known are question answering, choices of answers or not; word problems
# and competition problems are mathematics; puzzles that are solved from what the text gives are reasoning.
# Left out, since they could be two: winogrande, hellaswag, sports_understanding, disambiguation_qa, causal_judgement
# (knowledge of the world or reasoning), gpqa (knowledge, reasoning and calculation at once), mmlu without a subject (a
# mix), its subjects that are half calculation (physics, chemistry, engineering, econometrics, computing, accounting) or
# argument (logical_fallacies, moral_scenarios), word_sorting, dyck_languages, ruin_names, movie_recommendation,
# translation errors, and RouterBench's riddles, poems and abstracts.
BENCHMARKS: Mapping[str, TaskLabel] = {
    "gsm8k": "mathematics",
    "grade-school-math": "mathematics",
    "math": "mathematics",
    "math_l5": "mathematics",
    "bbh/multistep_arithmetic_two": "mathematics",
    "mbpp": "code",
    "human_eval": "code",
    "commongen": "writing",
    "natural_qa": _QA,
    "trivia_qa": _QA,
    "commonsense_qa": _QA,
    "openbook_qa": _QA,
    "openbookqa": _QA,
    "arc-challenge": _QA,
    "arc_challenge": _QA,
    "truthful_qa": _QA,
    "agentverse-logicgrid": "reasoning",
    "bbh/web_of_lies": "reasoning",
    "bbh/formal_fallacies": "reasoning",
    "bbh/boolean_expressions": "reasoning",
    "bbh/date_understanding": "reasoning",
    "bbh/object_counting": "reasoning",
    "bbh/reasoning_about_colored_objects": "reasoning",
    "bbh/temporal_sequences": "reasoning",
    "bias_detection": "extraction",
    "consensus_summary": "summarising",
}
_MMLU = ("mmlu:", "mmlu-")  # before a subject
_MATHEMATICS = (
    *("abstract_algebra", "college_mathematics", "elementary_mathematics", "high_school_mathematics"),
    "high_school_statistics",
)
_AMBIGUOUS = ("physics", "chemistry", "engineering", "econometrics", "comput", "machine_learning", "accounting")
_ARGUED = ("logical_fallacies", "moral_scenarios")


class Class(Struct, frozen=True):
    """`told`: how often its prompts were taken for each task."""

    n: int
    precision: Interval
    recall: Interval
    f1: Interval
    told: dict[str, int]


class Body(Struct, frozen=True):
    """One body of prompts. `macro_f1` and `accuracy` are over the prompts of classes with at least 20; None where there
    is no such class. `left_out`: prompts by label, without a task; `shared`: prompts left out because they share 60
    characters with a prompt of the training."""

    name: str
    n: int
    accuracy: Interval | None
    macro_f1: Interval | None
    classes: dict[str, Class]
    left_out: dict[str, int]
    shared: int


class Asked(Struct, frozen=True):
    """A prompt and the label that its file gives it."""

    request: ChatRequest
    label: str


class _Labelled(Struct, frozen=True):
    prompt: str
    label: str


class _Written(Struct, frozen=True):
    text: str = ""


def task_of(benchmark: str) -> TaskLabel | None:
    """What a benchmark of the files asks for; None for what is left out."""
    for mark in _MMLU:
        if benchmark.startswith(mark):
            return _subject(benchmark.removeprefix(mark).replace("-", "_"))
    return BENCHMARKS.get(benchmark)


def _subject(name: str) -> TaskLabel | None:
    if name in _MATHEMATICS:
        return "mathematics"
    if name == "formal_logic":
        return "reasoning"
    return None if name in _ARGUED or any(part in name for part in _AMBIGUOUS) else _QA


def labelled(path: Path) -> list[Asked]:
    """Raises DataError."""
    found = []
    for number, line in enumerate(_lines(path), 1):
        try:
            row = msgspec.json.decode(line, type=_Labelled)
        except msgspec.DecodeError as error:
            raise DataError([f"{path.name}:{number}: {error}"]) from error
        found.append(Asked(_request(row.prompt), row.label))
    return found


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines()
    except OSError as error:
        raise DataError([f"{path}: cannot be read: {error.strerror}"]) from error


def _request(text: str) -> ChatRequest:
    return ChatRequest(model="auto", messages=(Message("user", text),), body={})


def judge(name: str, asked: Sequence[Asked], truth: Sequence[TaskLabel | None], seed: int = 0) -> Body:
    """The shipped predictor on prompts; `truth` is None for what is left out.

    Raises DataError where nothing is left.
    """
    written = [_request(msgspec.json.decode(line, type=_Written).text) for line in _lines(PROMPTS)]
    clear = apart([one.request for one in asked], written)
    kept = [number for number, task in enumerate(truth) if task is not None and clear[number]]
    if not kept:
        raise DataError([f"{name}: no prompt has a label that stands for a task"])
    requests = [asked[number].request for number in kept]
    real = np.array([TASKS.index(task) for number in kept if (task := truth[number]) is not None])
    told = np.array([TASKS.index(task) for task in shipped().tasks(requests)])
    left = Counter(one.label for one, task in zip(asked, truth, strict=True) if task is None)
    shared = sum(task is not None and not apart_ for task, apart_ in zip(truth, clear, strict=True))
    return figures(name, real, told, seed, dict(left.most_common()), shared)


def figures(
    name: str,
    real: NDArray[np.intp],
    told: NDArray[np.intp],
    seed: int = 0,
    left_out: Mapping[str, int] | None = None,
    shared: int = 0,
    draws: int = DRAWS,
) -> Body:
    """`real` and `told` are places in `TASKS`, one of each for a prompt."""
    counts = resample(len(real), draws, seed)
    present = [place for place in range(len(TASKS)) if (real == place).any()]
    found: dict[str, Class] = {}
    scores: dict[int, Floats] = {}
    for place in present:
        is_real, is_told = (real == place).astype(float), (told == place).astype(float)
        hits, truly, claimed = counts @ (is_real * is_told), counts @ is_real, counts @ is_told
        with np.errstate(divide="ignore", invalid="ignore"):
            scores[place] = 2 * hits / (truly + claimed)  # 0 / 0 where a draw has none of it: no value, as it should be
            precision, recall = summary(hits / claimed), summary(hits / truly)
        found[TASKS[place]] = Class(
            n=int(is_real.sum()),
            precision=precision,
            recall=recall,
            f1=summary(scores[place]),
            told={TASKS[other]: n for other in range(len(TASKS)) if (n := int(is_real @ (told == other)))},
        )
    large = [place for place in present if found[TASKS[place]].n >= LEAST]
    mine = np.isin(real, large).astype(float)
    return Body(
        name=name,
        n=len(real),
        accuracy=summary(counts @ (mine * (real == told)) / np.maximum(counts @ mine, 1)) if large else None,
        macro_f1=summary(np.mean([scores[place] for place in large], axis=0)) if large else None,
        classes=found,
        left_out=dict(left_out or {}),
        shared=shared,
    )


def bodies(folder: Path, seed: int = 0) -> list[Body]:
    """Raises DataError with every problem of the first file that has any."""
    own = labelled(folder / "tasktype_prompts.jsonl")
    files = [Asked(row.request, row.task) for name in FILES for row in read_source(folder / f"{name}.jsonl")]
    return [
        judge("labelled", own, [LABELS.get(one.label) for one in own], seed),
        judge("files", files, [task_of(one.label) for one in files], seed),
    ]


def render(body: Body) -> str:
    """The figures of a body for people."""
    lines = [f"{body.name}: {body.n:,} prompts"]
    columns = [name for name in TASKS if any(name in one.told for one in body.classes.values())]
    head = "".join(f"{name[:10]:>11s}" for name in columns)
    lines.append(f"  {'is, told as':20s}{'n':>6s}{head}{'precision':>22s}{'recall':>22s}{'F1':>22s}")
    for name, one in body.classes.items():
        told = "".join(f"{one.told.get(column, 0):11d}" for column in columns)
        cells = "".join(f"{_figure(value):>22s}" for value in (one.precision, one.recall, one.f1))
        lines.append(f"  {name:20s}{one.n:6d}{told}{cells}")
    if body.macro_f1 is not None and body.accuracy is not None:
        large = sum(one.n >= LEAST for one in body.classes.values())
        met = "met" if body.macro_f1.value >= AIM else "missed"
        lines.append(
            f"  macro-F1 of the {large} classes with {LEAST} prompts or more {_figure(body.macro_f1)}, "
            f"aim {AIM}: {met}; accuracy {_figure(body.accuracy)}"
        )
    most = ", ".join(f"{label} {n}" for label, n in list(body.left_out.items())[:12])
    lines.append(
        f"  left out: {sum(body.left_out.values())} prompts of {len(body.left_out)} labels that are no task or could "
        f"be two ({most}{', ...' if len(body.left_out) > 12 else ''}); {body.shared} that share 60 characters with a "
        "written prompt"
    )
    return "\n".join(lines)


def overview(found: Sequence[Body]) -> str:
    """All classes as one Markdown table, for the documents."""
    lines = ["| prompts | task | n | precision | recall | F1 |", "|---|---|---|---|---|---|"]
    for body in found:
        for name, one in body.classes.items():
            cells = " | ".join(_figure(value) for value in (one.precision, one.recall, one.f1))
            lines.append(f"| {body.name} | {name} | {one.n} | {cells} |")
        if body.macro_f1 is not None:
            lines.append(
                f"| {body.name} | macro, classes of {LEAST} or more | {body.n} | | | {_figure(body.macro_f1)} |"
            )
    return "\n".join(lines)


def _figure(value: Interval) -> str:
    return f"{value.value:.3f} [{value.low:.3f} {value.high:.3f}]"


def main() -> int:
    names = ", ".join(f"{name}.jsonl" for name in ("tasktype_prompts", *FILES))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help=f"holds {names}")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    try:
        found = bodies(arguments.folder, arguments.seed)
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n\n".join([*(render(body) for body in found), overview(found)]))
    if arguments.json is not None:
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
