"""The configuration file as frozen structs: one struct for each mapping of the YAML, one field for each key.

Defaults stand here and nowhere else, apart from those that depend on a model's backend (`defaults`). What
each key means is said in `descriptions`, which the reference (docs/reference/config.md) and the JSON Schema
are made of.
"""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from llm_inference_router.vocabulary import Capability, Location, TaskLabel, Tier

BackendName: TypeAlias = Literal[
    "openai", "anthropic", "vllm", "tgi", "ollama", "llamacpp", "openai_compatible", "simulated"
]
Scope: TypeAlias = Literal["inference", "feedback", "admin"]
FindingKind: TypeAlias = Literal[
    "email",
    "phone",
    "credit_card",
    "iban",
    "national_id",
    "ip_address",
    "api_key",
    "private_key",
    "person_name",
]
PrivacyLevel: TypeAlias = Literal["sensitive", "restricted"]


class Duration(float):
    """Seconds, written as `2s`, `500ms`, `10m`, `1h` or `90d`."""


class Size(int):
    """Bytes, written as `20MiB`, `64KiB`, `1GiB` or a plain number."""


class Secret(str):
    """A credential: it compares and sends as itself, but never prints."""

    def __repr__(self) -> str:
        return "Secret(***)"


Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Count: TypeAlias = Annotated[int, Meta(ge=1)]
Usd: TypeAlias = Annotated[float, Meta(ge=0)]
PricePerMillion: TypeAlias = Annotated[float, Meta(ge=0, le=1_000_000)]
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,99}$"
Name: TypeAlias = Annotated[str, Meta(pattern=NAME_PATTERN)]


class Strict(Struct, frozen=True, forbid_unknown_fields=True):
    pass


# --- the one vocabulary of constraints ----------------------------------------------------------------------


class Constraint(Strict, frozen=True, kw_only=True):
    """What narrows a set of models; it never widens one. An absent key does not narrow."""

    models: tuple[str, ...] | None = None
    tier: Tier | None = None
    min_tier: Tier | None = None
    max_tier: Tier | None = None
    location: Location | None = None
    region: str | None = None
    bar: Share | None = None


# --- server -------------------------------------------------------------------------------------------------


class Key(Strict, frozen=True, kw_only=True):
    name: Name
    key: Secret
    routes: tuple[str, ...] | None = None
    scopes: tuple[Scope, ...] = ("inference", "feedback")


class Server(Strict, frozen=True, kw_only=True):
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 4100
    workers: Count = 1
    max_body: Size = Size(20 * 1024 * 1024)
    max_requests: Count = 1000
    max_connections: Count = 10000
    drain: Duration = Duration(60)
    keys: tuple[Key, ...] = ()


# --- models -------------------------------------------------------------------------------------------------


class EndpointConfig(Strict, frozen=True, kw_only=True):
    url: str
    private: bool = False


class PriceConfig(Strict, frozen=True, kw_only=True):
    """USD per million tokens."""

    input: PricePerMillion = 0
    output: PricePerMillion = 0
    cached_input: PricePerMillion | None = None
    cache_write: PricePerMillion | None = None


class Limits(Strict, frozen=True, kw_only=True):
    requests_per_minute: Count | None = None
    tokens_per_minute: Count | None = None
    concurrent: Count | None = None


class TimeoutsConfig(Strict, frozen=True, kw_only=True):
    connect: Duration = Duration(2)
    first_token: Duration = Duration(10)
    idle: Duration = Duration(15)
    total: Duration = Duration(600)


class Health(Strict, frozen=True, kw_only=True):
    path: str | None = None
    every: Duration = Duration(10)


class Breaker(Strict, frozen=True, kw_only=True):
    failures: Count = 5
    window: Duration = Duration(30)
    open: Duration = Duration(10)


class ModelConfig(Strict, frozen=True, kw_only=True):
    name: Name
    backend: BackendName
    endpoints: tuple[EndpointConfig, ...] = ()
    api_key: Secret | None = None
    upstream_model: str | None = None
    tier: Tier
    location: Location
    region: str = ""
    context: Count
    max_output: Count | None = None
    price: PriceConfig = PriceConfig()
    capabilities: tuple[Capability, ...] | None = None
    limits: Limits = Limits()
    timeouts: TimeoutsConfig = TimeoutsConfig()
    health: Health | Literal["none"] | None = None
    breaker: Breaker | Literal["none"] = Breaker()


# --- routes -------------------------------------------------------------------------------------------------


class Guarantee(Strict, frozen=True, kw_only=True):
    risk: Share
    confidence: Share = 0.95


class Fixed(Strict, frozen=True, tag_field="kind", tag="fixed", kw_only=True):
    """The first model of the list that can serve; the others are its fallbacks, in their order."""


class ByComplexity(Strict, frozen=True, tag_field="kind", tag="complexity", kw_only=True):
    """One model for each band of complexity. `bands` are the upper edges of light and medium."""

    light: str
    medium: str
    heavy: str
    bands: tuple[Share, Share] = (0.35, 0.70)


class CheapestAboveBar(Strict, frozen=True, tag_field="kind", tag="cheapest_above_bar", kw_only=True):
    """The cheapest model whose expected quality reaches `bar` times the best candidate's."""

    bar: Share = 0.90
    guarantee: Guarantee | None = None


class Utility(Strict, frozen=True, tag_field="kind", tag="utility", kw_only=True):
    """The greatest quality - cost_weight x USD - latency_weight x seconds."""

    cost_weight: Annotated[float, Meta(ge=0)] = 10.0
    latency_weight: Annotated[float, Meta(ge=0)] = 0.01


PolicyConfig: TypeAlias = Fixed | ByComplexity | CheapestAboveBar | Utility


class Session(Strict, frozen=True, kw_only=True):
    stickiness: Literal["none", "cost", "always"] = "none"
    max_switch_spend: Share = 0.10


class Retry(Strict, frozen=True, kw_only=True):
    attempts: Count = 3
    budget: Share = 0.2
    hedge: str = "none"


SHIPPED_PREDICTOR = "default"


class Route(Strict, frozen=True, kw_only=True):
    models: tuple[str, ...]
    policy: PolicyConfig = CheapestAboveBar()
    explore: Share = 0.0
    predictor: str = SHIPPED_PREDICTOR
    session: Session = Session()
    retry: Retry = Retry()
    on_cut_stream: Literal["error", "continue"] = "error"
    content: bool | None = None


# --- rules --------------------------------------------------------------------------------------------------


class When(Strict, frozen=True, kw_only=True, rename={"in_": "in"}):
    """Conditions; all that are given must hold, of a list any."""

    routes: tuple[str, ...] | None = None
    keywords: tuple[str, ...] | None = None
    pattern: str | None = None
    in_: Literal["last", "conversation"] = "last"
    task: tuple[TaskLabel, ...] | None = None
    language: tuple[str, ...] | None = None
    min_complexity: Share | None = None
    max_complexity: Share | None = None
    min_prompt_tokens: Annotated[int, Meta(ge=0)] | None = None
    max_prompt_tokens: Annotated[int, Meta(ge=0)] | None = None
    hours: str | None = None
    tags: dict[str, str] | None = None
    users: tuple[str, ...] | None = None
    keys: tuple[str, ...] | None = None


class Rule(Strict, frozen=True, kw_only=True):
    name: Name
    when: When = When()
    use: Constraint


# --- what later versions act on; validated now --------------------------------------------------------------


class BudgetMatch(Strict, frozen=True, kw_only=True):
    keys: tuple[str, ...] | None = None
    routes: tuple[str, ...] | None = None
    tags: dict[str, str] | None = None
    users: tuple[str, ...] | None = None


class BudgetStep(Strict, frozen=True, kw_only=True):
    at: Annotated[float, Meta(ge=0)]
    do: Constraint | Literal["reject"]


class Budget(Strict, frozen=True, kw_only=True):
    name: Name
    match: BudgetMatch = BudgetMatch()
    limit: Usd
    per: Literal["hour", "day", "week", "month"]
    pace: Literal["none", "even"] = "none"
    zone: str = "UTC"
    ladder: tuple[BudgetStep, ...] = ()


class Arm(Constraint, frozen=True, kw_only=True):
    policy: PolicyConfig | None = None


class Guard(Strict, frozen=True, kw_only=True):
    quality_drop: Share | None = None


class Experiment(Strict, frozen=True, kw_only=True):
    name: Name
    route: str
    share: Share
    by: Literal["request", "session", "user", "key"] = "request"
    arms: dict[Name, Arm]
    metric: Literal["quality", "cost", "latency", "feedback"] = "quality"
    guard: Guard = Guard()


class LevelConstraint(Constraint, frozen=True, kw_only=True):
    redact_records: bool = False


class Levels(Strict, frozen=True, kw_only=True):
    sensitive: LevelConstraint | None = None
    restricted: LevelConstraint | None = None


class Privacy(Strict, frozen=True, kw_only=True):
    detect: tuple[FindingKind, ...] = ()
    sensitive_terms: tuple[str, ...] = ()
    kinds: dict[FindingKind, PrivacyLevel] = {}
    unreadable: Literal["public", "sensitive", "restricted"] = "sensitive"
    levels: Levels = Levels()
    redact_for_cloud: bool = False


# --- storage and telemetry ----------------------------------------------------------------------------------


class Store(Strict, frozen=True, kw_only=True):
    url: str = "sqlite:///router.db"
    content: bool = False
    retain: Duration = Duration(90 * 86400)


class Telemetry(Strict, frozen=True, kw_only=True):
    log: Literal["json", "text"] = "json"
    traces: str = ""


class Config(Strict, frozen=True, kw_only=True):
    models: tuple[ModelConfig, ...]
    routes: dict[Name, Route]
    server: Server = Server()
    rules: tuple[Rule, ...] = ()
    budgets: tuple[Budget, ...] = ()
    experiments: tuple[Experiment, ...] = ()
    privacy: Privacy = Privacy()
    store: Store = Store()
    telemetry: Telemetry = Telemetry()
