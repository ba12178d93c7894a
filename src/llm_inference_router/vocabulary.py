"""The closed vocabularies: every word that a configuration, a record or a header may use for one thing."""

from typing import Literal, TypeAlias

Tier: TypeAlias = Literal["small", "medium", "large"]
Location: TypeAlias = Literal["local", "cloud"]
Band: TypeAlias = Literal["light", "medium", "heavy"]
Capability: TypeAlias = Literal[
    "tools", "parallel_tools", "json_schema", "vision", "audio", "logprobs", "prefill", "reasoning", "embeddings"
]
Modality: TypeAlias = Literal["text", "image", "audio", "file"]
Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
TaskLabel: TypeAlias = Literal[
    "chat",
    "question_answering",
    "reasoning",
    "mathematics",
    "code",
    "writing",
    "extraction",
    "summarising",
    "agent",
]
Format: TypeAlias = Literal["free", "list", "table", "json", "code", "choice", "number", "short"]
RejectionReason: TypeAlias = Literal[
    "capability",  # it lacks tools, vision, ... that the request needs
    "context",  # prompt plus output do not fit its window
    "output",  # it gives fewer tokens than the request reserves
    "rule",  # a rule's constraint excludes it
    "constraint",  # another constraint (a key's, a budget's, privacy's) excludes it
    "cost",  # dearer than the caller's x-router-max-cost-usd
    "unavailable",  # all its endpoints are resting after failures
]
DialectName: TypeAlias = Literal["chat", "messages", "responses", "completions", "embeddings"]
FaultKind: TypeAlias = Literal[
    "connect",
    "dns",
    "tls",
    "reset",
    "malformed",
    "status",
    "rate_limited",
    "auth",
    "truncated",
    "cancelled",
    "hedged",
    "timeout.connect",
    "timeout.first_token",
    "timeout.idle",
    "timeout.total",
]

TIERS: tuple[Tier, ...] = ("small", "medium", "large")
