"""What each key means, in one sentence: the words of the reference and of the JSON Schema.

By struct and key; a struct that extends another inherits its sentences. A test fails when a key has none.
"""

from msgspec import Struct

_SENTENCES: dict[str, dict[str, str]] = {
    "Config": {
        "models": "What can answer.",
        "routes": "What clients ask for in `model`, by name; a model's own name can be asked for too.",
        "server": "Where the router listens, and what it lets in.",
        "rules": "Exceptions to the policies, in order; the first that matches wins.",
        "budgets": "Limits of spending, each with a ladder of what happens as the money goes.",
        "experiments": "Splits of a route's traffic between variants, to compare them.",
        "privacy": "What is looked for in prompts, and where they may then be sent.",
        "store": "Where records are kept, what of them, and how long.",
        "telemetry": "Logs and traces.",
    },
    "Constraint": {
        "models": "Only these models.",
        "tier": "Only models of this tier.",
        "min_tier": "Only models of this tier or a larger one.",
        "max_tier": "Only models of this tier or a smaller one.",
        "location": "Only models at this location.",
        "region": "Only models whose `region` is exactly this.",
        "bar": "The bar that `cheapest_above_bar` uses instead of the route's own.",
    },
    "Key": {
        "name": "The name that rules, budgets and records use for this key.",
        "key": "The secret that clients send as a bearer token or in `x-api-key`.",
        "routes": "The routes and models that this key may ask for; without it, all.",
        "scopes": "What the key may do: ask for answers, judge them, or operate the router.",
    },
    "Server": {
        "host": "The address to listen on; one that others can reach needs keys.",
        "port": "The port to listen on; 0 takes any free one.",
        "workers": "Processes that share the port.",
        "max_body": "The largest request body that is read; a larger one is refused with 413.",
        "max_requests": "Requests in progress at once; one more is refused with 429.",
        "max_connections": "Client connections open at once.",
        "drain": "How long answers in progress may finish after SIGTERM.",
        "keys": "Static API keys; without any, the router only listens on loopback, open to all.",
    },
    "EndpointConfig": {
        "url": "The part of the address before /chat/completions or /messages.",
        "private": "A cloud model's name may resolve to an address of a private network: a gateway or private link.",
    },
    "PriceConfig": {
        "input": "USD per million prompt tokens.",
        "output": "USD per million generated tokens, those of reasoning included.",
        "cached_input": "USD per million prompt tokens read from the provider's cache; by default `input`.",
        "cache_write": "USD per million prompt tokens written to the provider's cache; by default `input`.",
    },
    "Limits": {
        "requests_per_minute": "Requests sent to the model in a minute, at most.",
        "tokens_per_minute": "Tokens sent to and made by the model in a minute, at most.",
        "concurrent": "Requests in progress at the model, at most.",
    },
    "TimeoutsConfig": {
        "connect": "The longest wait for a connection.",
        "first_token": "The longest wait for the first content of an answer.",
        "idle": "The longest silence between two pieces of an answer.",
        "total": "The longest that one try may take.",
    },
    "Health": {
        "path": "The path that is asked for, from the root of the address; without it, the model list.",
        "every": "How often an endpoint is asked.",
    },
    "Breaker": {
        "failures": "Failures within the window that open the breaker, so that the endpoint rests.",
        "window": "The time over which failures are counted.",
        "open": "How long the endpoint rests before it is tried again.",
    },
    "ModelConfig": {
        "name": "The model's name: in routes and rules, in answers, and to be asked for directly.",
        "backend": "The kind of server, which decides its dialect and its default address.",
        "endpoints": "Its addresses; load is balanced over them, and each has its own breaker.",
        "api_key": "The credential for the upstream.",
        "upstream_model": "The model name that is sent upstream; without it, `name`.",
        "tier": "Its size, which is the prior of its quality before anything is known about it.",
        "location": "Whether prompts stay with you or leave for a provider.",
        "region": "Where it runs, in your own words.",
        "context": "The tokens that prompt and answer may have together.",
        "max_output": "The tokens that an answer may have; without it, what is left of the context.",
        "price": "What it costs, in USD per million tokens.",
        "capabilities": "What it can do; by default its backend's usual set, empty for local servers; with "
        "`embeddings` it serves those alone.",
        "limits": "How much the upstream allows.",
        "timeouts": "How long its silence is borne.",
        "health": "Active probes; without it, local models are asked every 10 s; `none` turns them off.",
        "breaker": "When a failing endpoint is left alone; `none` turns that off.",
    },
    "Guarantee": {
        "risk": "The share of answers that may fall below the bar.",
        "confidence": "How sure that must be.",
    },
    "Fixed": {"kind": "Takes the first model of the list that can serve; the others are its fallbacks, in order."},
    "ByComplexity": {
        "kind": "Takes one model for each band of complexity.",
        "light": "The model for light requests.",
        "medium": "The model for medium requests.",
        "heavy": "The model for heavy requests.",
        "bands": "The complexity at which medium begins, and that at which heavy begins.",
    },
    "CheapestAboveBar": {
        "kind": "Takes the cheapest model whose expected quality reaches the bar.",
        "bar": "The share of the best admissible candidate's expected quality that an answer must reach.",
        "guarantee": "How seldom answers may fall below the bar, kept once there is enough feedback.",
    },
    "Utility": {
        "kind": "Takes the model with the greatest quality minus weighted cost and latency.",
        "cost_weight": "The quality that one USD per request is worth.",
        "latency_weight": "The quality that one second is worth.",
    },
    "Session": {
        "stickiness": "Whether a conversation keeps its model: never, while switching costs more, or always.",
        "max_switch_spend": "The share above the cost of not switching that switches may add.",
    },
    "Retry": {
        "attempts": "Tries per model, at most; a silent endpoint is tried once.",
        "budget": "The share of all requests that retries may add.",
        "hedge": "After how long without content the request is sent once more beside the first, as a duration, or "
        "`none`; the first to answer is taken.",
    },
    "Route": {
        "models": "The models it may choose from; their order counts for `fixed`.",
        "policy": "How one of them is chosen.",
        "explore": "The share of requests that try another admissible model, so that learning never stops.",
        "predictor": "`default` (shipped), or a file written by `llm-router calibrate` or `train`; a relative path "
        "begins at the configuration's own folder.",
        "session": "How conversations are kept together.",
        "retry": "How often a failing try is repeated.",
        "on_cut_stream": "When an answer breaks off: say so, or continue it with another model.",
        "content": "Whether prompts and answers of this route are kept; without it, as `store.content`.",
    },
    "When": {
        "routes": "The request asks for one of these routes.",
        "keywords": "The text has one of these words, as a whole word, in any case.",
        "pattern": "The text matches this regular expression (RE2 syntax).",
        "in": "The text that `keywords` and `pattern` look at: the last thing a human asked, or every turn.",
        "task": "The request's task is one of these.",
        "language": "The request's language is one of these ISO 639-1 codes.",
        "min_complexity": "The complexity is at least this.",
        "max_complexity": "The complexity is at most this.",
        "min_prompt_tokens": "The prompt has at least this many tokens.",
        "max_prompt_tokens": "The prompt has at most this many tokens.",
        "hours": "The time of day, with its time zone: `22:00-06:00 Europe/Berlin`; without a zone, UTC.",
        "tags": "The request carries all of these tags (`x-router-tags`).",
        "users": "The request's user is one of these (`x-router-user`).",
        "keys": "The request came with one of these keys.",
    },
    "Rule": {
        "name": "The rule's name, shown as the reason of what it decided.",
        "when": "Conditions that must all hold; of a list, any; without conditions it always matches.",
        "use": "What the choice is narrowed to; one model pins it.",
    },
    "BudgetMatch": {
        "keys": "Spending with these keys counts.",
        "routes": "Spending on these routes counts.",
        "tags": "Spending of requests with these tags counts.",
        "users": "Spending of these users counts.",
    },
    "BudgetStep": {
        "at": "The share of the limit at which this step begins.",
        "do": "What the choice is narrowed to, or `reject` to refuse with 429.",
    },
    "Budget": {
        "name": "The budget's name, in metrics and errors.",
        "match": "Whose spending counts; without conditions, all.",
        "limit": "USD per window.",
        "per": "The window.",
        "pace": "Whether the window's money is spread evenly.",
        "zone": "The time zone in which windows begin.",
        "ladder": "What happens as the money goes, in rising order.",
    },
    "Arm": {"policy": "The policy of this variant; without it, the route's."},
    "Guard": {"quality_drop": "An arm is stopped early when it is surely worse than the control by this much."},
    "Experiment": {
        "name": "The experiment's name, in headers and records.",
        "route": "The route whose traffic it takes.",
        "share": "The share of that traffic; the rest is untouched.",
        "by": "What is assigned to an arm as one.",
        "arms": "The variants, by name; an empty one is the route as it is.",
        "metric": "What is compared.",
        "guard": "When an arm is stopped early.",
    },
    "LevelConstraint": {"redact_records": "Whether what was found is left out of records."},
    "Levels": {
        "sensitive": "What the choice is narrowed to for sensitive requests.",
        "restricted": "What the choice is narrowed to for restricted requests.",
    },
    "Privacy": {
        "detect": "What is looked for in prompts.",
        "sensitive_terms": "Words of your own that make a request sensitive.",
        "kinds": "The level of each kind of finding; those that are not named are sensitive.",
        "unreadable": "The level of images, audio and files, which cannot be read.",
        "levels": "What each level allows; the highest level found decides.",
        "redact_for_cloud": "Whether findings become placeholders, instead of the request staying local.",
    },
    "Store": {
        "url": "`sqlite:///FILE` (relative to the working folder) or `postgresql://...`.",
        "content": "Whether prompts and answers are kept.",
        "retain": "How long records are kept.",
    },
    "Telemetry": {
        "log": "The form of log lines.",
        "traces": "The OpenTelemetry endpoint (OTLP over HTTP) that spans are sent to; empty: none.",
    },
}


def sentence(struct: type[Struct], key: str) -> str:
    """The sentence of a struct's key. Raises KeyError when nobody has written one."""
    for parent in struct.__mro__:
        if found := _SENTENCES.get(parent.__name__, {}).get(key):
            return found
    raise KeyError(f"{struct.__name__}.{key}")


def written() -> set[tuple[str, str]]:
    """Every (struct, key) that has a sentence: so that a test can find those of keys that are gone."""
    return {(struct, key) for struct, keys in _SENTENCES.items() for key in keys}
