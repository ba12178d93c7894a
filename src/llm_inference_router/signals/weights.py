"""Weights of complexity and evidence for tasks, made by scripts/fit_complexity.py: do not edit.

Fitted to:
- routerbench_sub: 3,355 prompts
- ulab_llmrouter: 5,486 prompts
- paretobandit: 1,260 prompts
- zeroeval: 703 prompts
- routellm_mmlu: 1,191 prompts
- tests/signals/anchors.jsonl: 98 of 187 labelled by hand, the others held out
- 1,793 prompts with a task
Method and figures: docs/explain/complexity.md.
"""

from collections.abc import Mapping

from llm_inference_router.signals.features import Part

BASE = -3.551

# What a part's features add up to where it is 0, and how far its 1 lies above that, in logits.
LOW: Mapping[Part, float] = {
    "reasoning": -2.065,
    "knowledge": -0.168,
    "constraints": 0.0,
    "context": 0.0,
    "output": 0.001,
}
SPAN: Mapping[Part, float] = {
    "reasoning": 6.444,
    "knowledge": 3.207,
    "constraints": 0.85,
    "context": 1.03,
    "output": 1.009,
}

# Logits for a whole unit of each feature.
WEIGHTS: Mapping[str, float] = {
    # reasoning
    "prove": 1.6,
    "compare": 0.842,
    "explain": 0.197,
    "logic": 0.0,
    "story": 0.0,
    "maths": 0.551,
    "advmath": 0.867,
    "code": 1.193,
    "advcode": 0.833,
    "design": 0.561,
    "greet": -1.493,
    "lookup": -1.429,
    "service": -0.616,
    "classify": -0.628,
    "edit": -1.134,
    "translate": -0.301,
    "brief": -1.32,
    "numbers": 0.0,
    "symbols": 0.119,
    "sentence_length": 1.329,
    "several_questions": 0.09,
    "task_reasoning": 0.407,
    "task_mathematics": 0.826,
    "task_code": 0.316,
    "task_chat": -0.378,
    # knowledge
    "law": 1.592,
    "medicine": 1.46,
    "science": 0.117,
    "advscience": 1.6,
    "finance": 0.477,
    "humanities": 0.499,
    "long_words": 0.887,
    "uncommon_words": 0.121,
    "task_summarising": -0.022,
    "task_extraction": -0.591,
    # constraints
    "constraint": 0.413,
    "steps": 0.515,
    "bullets": 0.061,
    "schema": 0.4,
    "tools": 0.5,
    # context
    "ask_length": 0.0,
    "context_length": 0.829,
    "turns": 0.4,
    "quoted_code": 0.3,
    "attachments": 0.3,
    "gap_to_fill": 0.46,
    # output
    "answer_length": 0.678,
    "task_writing": 0.095,
    "structured": 0.015,
    "choice": 0.331,
    "short": -0.13,
}

# Log odds of the tasks (columns: task.LABELS without agent) for each evidence (rows).
TASK: tuple[tuple[float, ...], ...] = (
    (1.0, -0.23, -0.57, -0.38, -0.14, -0.2, -0.1, -0.24),  # greet
    (-0.08, 0.69, 0.11, -0.65, -0.6, -0.09, 0.63, 0.0),  # lookup
    (1.0, -0.99, -1.0, -0.74, -0.05, -0.66, 0.34, 0.2),  # service
    (-0.61, -0.9, -0.61, -0.25, -0.72, -0.8, 1.0, -0.33),  # classify
    (-0.18, -0.11, -0.5, -0.35, -0.54, -0.42, -0.19, 1.0),  # summarise
    (-0.15, -0.4, -0.51, -0.17, -0.01, 1.0, 0.26, -0.11),  # translate
    (-0.24, 0.45, -0.4, -0.47, -0.28, 1.0, -0.34, -0.21),  # edit
    (-0.59, -0.22, -0.76, -1.0, 0.78, 1.0, 0.11, -0.61),  # write
    (-0.42, 0.8, -0.1, 0.04, -0.11, 0.28, -0.06, -0.43),  # explain
    (-0.3, -0.49, 1.0, -0.29, -0.33, -0.28, -0.1, -0.26),  # compare
    (-0.14, -0.24, -0.08, 1.0, -0.43, 0.24, -0.2, -0.17),  # prove
    (-0.16, -0.28, 0.26, 0.95, -0.23, -0.38, 0.09, -0.25),  # story
    (-0.41, -0.41, -0.36, 0.93, 0.84, -0.05, -0.11, -0.43),  # maths
    (-0.1, -0.5, -0.29, 0.77, 0.09, 0.24, -0.13, -0.08),  # advmath
    (-0.48, -1.0, -0.76, -0.33, 1.0, -1.0, 0.11, -0.18),  # code
    (-0.06, -0.16, -0.19, -0.09, 0.63, 0.03, -0.1, -0.06),  # advcode
    (-0.09, 0.29, 0.47, -0.02, -0.16, -0.51, 0.2, -0.18),  # design
    (-0.06, 0.28, -0.01, -0.13, -0.01, 0.14, -0.17, -0.04),  # law
    (-0.12, -0.01, -0.25, 0.04, -0.19, 0.2, -0.2, 0.52),  # medicine
    (-0.23, 0.86, -0.54, 0.08, 0.11, 0.16, -0.28, -0.15),  # science
    (-0.1, 0.41, -0.04, -0.12, -0.12, 0.11, -0.09, -0.05),  # advscience
    (-0.17, 0.29, 0.36, -0.23, -0.31, -0.16, 0.43, -0.22),  # finance
    (-0.06, -0.1, 0.25, -0.31, -0.27, -0.19, 0.78, -0.11),  # humanities
    (-0.62, 0.08, -0.14, -0.3, 0.27, 0.27, 0.42, 0.03),  # constraint
    (-0.59, -0.29, 0.88, -0.03, 0.14, 0.07, -0.58, 0.4),  # logic
    (-0.08, -0.25, -0.39, 0.2, 0.4, 0.44, -0.24, -0.08),  # steps
    (0.13, 1.0, -0.41, -0.27, -0.07, 0.27, -0.98, -0.82),  # always
    (1.0, -0.43, -0.17, -0.1, -0.24, -0.37, -0.13, -0.14),  # tiny
    (-0.32, -0.8, -0.83, 1.0, -0.13, -0.97, 0.28, -0.36),  # numbers
    (-0.15, -0.65, -0.44, 1.0, 0.03, -0.51, -0.01, -0.15),  # symbols
    (-0.09, -0.11, -0.02, -0.28, 0.89, -0.17, -0.15, -0.08),  # codelike
    (0.0, 0.0, 0.0, 0.0, 0.01, 0.0, 0.0, 0.0),  # quoted_code
    (-0.09, 1.0, -0.27, -0.27, -0.28, -1.0, 0.4, -0.09),  # options
    (-0.05, 0.86, -0.24, -0.26, 0.15, -0.21, -0.2, -0.04),  # blank
    (0.36, 1.0, 0.9, 0.45, -0.73, -0.85, -0.36, -0.93),  # question
    (-0.87, -0.25, -0.07, 0.37, -0.25, 1.0, -0.39, 0.01),  # length
)
