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

BASE = -3.554

# What a part's features add up to where it is 0, and how far its 1 lies above that, in logits.
LOW: Mapping[Part, float] = {
    "reasoning": -2.058,
    "knowledge": -0.173,
    "constraints": 0.0,
    "context": 0.0,
    "output": 0.002,
}
SPAN: Mapping[Part, float] = {
    "reasoning": 6.453,
    "knowledge": 3.213,
    "constraints": 0.851,
    "context": 1.031,
    "output": 1.014,
}

# Logits for a whole unit of each feature.
WEIGHTS: Mapping[str, float] = {
    # reasoning
    "prove": 1.6,
    "compare": 0.814,
    "explain": 0.2,
    "logic": 0.0,
    "story": 0.0,
    "maths": 0.561,
    "advmath": 0.867,
    "code": 1.214,
    "advcode": 0.846,
    "design": 0.563,
    "greet": -1.492,
    "lookup": -1.422,
    "service": -0.612,
    "classify": -0.591,
    "edit": -1.137,
    "translate": -0.311,
    "brief": -1.315,
    "numbers": 0.0,
    "symbols": 0.118,
    "sentence_length": 1.326,
    "several_questions": 0.108,
    "task_reasoning": 0.424,
    "task_mathematics": 0.828,
    "task_code": 0.298,
    "task_chat": -0.372,
    # knowledge
    "law": 1.592,
    "medicine": 1.472,
    "science": 0.128,
    "advscience": 1.6,
    "finance": 0.476,
    "humanities": 0.481,
    "long_words": 0.881,
    "uncommon_words": 0.126,
    "task_summarising": -0.037,
    "task_extraction": -0.621,
    # constraints
    "constraint": 0.412,
    "steps": 0.516,
    "bullets": 0.063,
    "schema": 0.4,
    "tools": 0.5,
    # context
    "ask_length": 0.0,
    "context_length": 0.829,
    "turns": 0.4,
    "quoted_code": 0.3,
    "attachments": 0.3,
    "gap_to_fill": 0.462,
    # output
    "answer_length": 0.679,
    "task_writing": 0.118,
    "structured": 0.021,
    "choice": 0.335,
    "short": -0.133,
}

# Log odds of the tasks (columns: task.LABELS without agent) for each evidence (rows).
TASK: tuple[tuple[float, ...], ...] = (
    (1.0, -0.22, -0.57, -0.39, -0.14, -0.2, -0.1, -0.24),  # greet
    (-0.08, 0.69, 0.11, -0.66, -0.59, -0.11, 0.64, 0.0),  # lookup
    (1.0, -0.99, -1.0, -0.74, -0.03, -0.67, 0.31, 0.2),  # service
    (-0.62, -0.89, -0.62, -0.26, -0.72, -0.82, 1.0, -0.34),  # classify
    (-0.18, -0.14, -0.49, -0.33, -0.53, -0.42, -0.19, 1.0),  # summarise
    (-0.15, -0.43, -0.46, -0.17, 0.0, 1.0, 0.24, -0.11),  # translate
    (-0.24, 0.45, -0.4, -0.46, -0.29, 1.0, -0.33, -0.21),  # edit
    (-0.59, -0.24, -0.73, -1.0, 0.78, 1.0, 0.11, -0.61),  # write
    (-0.43, 0.78, -0.08, 0.02, -0.09, 0.28, -0.05, -0.43),  # explain
    (-0.31, -0.49, 1.0, -0.3, -0.33, -0.29, -0.22, -0.27),  # compare
    (-0.14, -0.27, -0.05, 1.0, -0.43, 0.25, -0.2, -0.17),  # prove
    (-0.17, -0.29, 0.25, 0.95, -0.24, -0.38, 0.13, -0.25),  # story
    (-0.41, -0.4, -0.38, 0.92, 0.85, -0.05, -0.1, -0.42),  # maths
    (-0.1, -0.49, -0.29, 0.76, 0.09, 0.23, -0.12, -0.08),  # advmath
    (-0.48, -1.0, -0.76, -0.32, 1.0, -1.0, 0.1, -0.18),  # code
    (-0.06, -0.14, -0.2, -0.09, 0.63, 0.01, -0.1, -0.06),  # advcode
    (-0.09, 0.29, 0.49, -0.02, -0.16, -0.54, 0.2, -0.18),  # design
    (-0.06, 0.28, -0.01, -0.15, -0.02, 0.21, -0.21, -0.03),  # law
    (-0.12, 0.0, -0.24, 0.03, -0.19, 0.2, -0.19, 0.51),  # medicine
    (-0.23, 0.88, -0.53, 0.08, 0.11, 0.12, -0.27, -0.15),  # science
    (-0.1, 0.4, -0.05, -0.11, -0.12, 0.11, -0.08, -0.05),  # advscience
    (-0.17, 0.29, 0.31, -0.21, -0.32, -0.14, 0.45, -0.22),  # finance
    (-0.06, -0.11, 0.29, -0.31, -0.27, -0.2, 0.76, -0.11),  # humanities
    (-0.63, 0.06, -0.13, -0.27, 0.24, 0.26, 0.43, 0.03),  # constraint
    (-0.59, -0.32, 0.87, -0.03, 0.15, 0.09, -0.56, 0.4),  # logic
    (-0.08, -0.28, -0.35, 0.23, 0.38, 0.45, -0.25, -0.08),  # steps
    (0.13, 1.0, -0.42, -0.26, -0.07, 0.28, -0.97, -0.82),  # always
    (1.0, -0.44, -0.17, -0.1, -0.24, -0.37, -0.13, -0.14),  # tiny
    (-0.32, -0.77, -0.79, 1.0, -0.11, -0.97, 0.21, -0.36),  # numbers
    (-0.15, -0.65, -0.44, 1.0, 0.01, -0.51, -0.02, -0.16),  # symbols
    (-0.09, -0.09, -0.03, -0.28, 0.91, -0.18, -0.15, -0.08),  # codelike
    (0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0),  # quoted_code
    (-0.09, 1.0, -0.26, -0.3, -0.26, -1.0, 0.38, -0.09),  # options
    (-0.05, 0.87, -0.24, -0.25, 0.15, -0.21, -0.23, -0.04),  # blank
    (0.37, 1.0, 0.92, 0.46, -0.73, -0.85, -0.37, -0.93),  # question
    (-0.87, -0.21, -0.08, 0.35, -0.25, 1.0, -0.4, 0.01),  # length
)
