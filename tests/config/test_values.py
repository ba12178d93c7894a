"""Problems of values, each with its line and its path."""

import pytest

from tests.config.reading import BASE, extended, model, read, rule

CASES = [
    (
        model(endpoints='[{url: "ftp://a/v1"}]'),
        "4: models.m.endpoints[0].url: needs a URL that begins with http:// or https://",
    ),
    (
        model(endpoints='[{url: "http://u:p@a/v1"}]'),
        "4: models.m.endpoints[0].url: holds credentials; put them into api_key",
    ),
    (
        model(endpoints='[{url: "http://a/v1?x=1"}]'),
        "4: models.m.endpoints[0].url: holds a query or fragment; write the part before /chat/completions or /messages",
    ),
    (
        model(endpoints='[{url: "http://a/v1/chat/completions"}]'),
        "4: models.m.endpoints[0].url: ends with /chat/completions; write the part before it",
    ),
    (
        model(endpoints='[{url: "http://a/v1"}, {url: "http://a/v1"}]'),
        "4: models.m.endpoints[1].url: is listed twice",
    ),
    (
        model(endpoints='[{url: "http://169.254.169.254/v1"}]'),
        "4: models.m.endpoints[0].url: is a cloud metadata address, which holds the machine's credentials: refused",
    ),
    (
        model(backend="openai_compatible"),
        '4: models.m: backend openai_compatible has no default address: add endpoints: [{url: "http://..."}]',
    ),
    (model(backend="openai"), "4: models.m.location: is local, but the model is called at api.openai.com"),
    (model(backend="tgi", capabilities="[embeddings]"), "4: models.m.capabilities: backend tgi has no embeddings"),
    (
        model(backend="openai_compatible", endpoints='[{url: "https://API.anthropic.com/v1"}]'),
        "4: models.m.location: is local, but the model is called at api.anthropic.com",
    ),
    (
        model(backend="simulated", api_key="x"),
        "4: models.m.api_key: a simulated model runs inside the router and has none",
    ),
    (
        model(backend="simulated", endpoints='[{url: "http://a/v1"}]'),
        "4: models.m.endpoints: a simulated model runs inside the router and has none",
    ),
    (
        model(price="{input: 0.1234567}"),
        "4: models.m.price.input: 0.1234567: a price has at most six decimals (it is USD per million tokens)",
    ),
    (model(price="{output: -1}"), "4: models.m.price.output: must be between 0 and 1000000, not -1"),
    (model(max_output="5000"), "4: models.m.max_output: 5000 is more than the context of 4096"),
    (
        model(upstream_model='""'),
        "4: models.m.upstream_model: is empty; leave it out and the model's own name is sent",
    ),
    (model(timeouts="{idle: 0s}"), "4: models.m.timeouts.idle: must be longer than 0s"),
    (model(health="{path: models}"), "4: models.m.health.path: needs a path that begins with /"),
    (model(health="{every: 0s}"), "4: models.m.health.every: must be longer than 0s"),
    (model(breaker="{open: 0s}"), "4: models.m.breaker.open: must be longer than 0s"),
    (
        extended("server: {host: 0.0.0.0}\n"),
        "6: server.host: 0.0.0.0 is reachable from outside and there are no keys; add server.keys or use 127.0.0.1",
    ),
    (
        extended('server: {host: ""}\n'),
        "6: server.host: is empty; 127.0.0.1 is this machine alone, 0.0.0.0 every network",
    ),
    (extended("server: {max_body: 0}\n"), "6: server.max_body: must be at least 1 byte"),
    (
        extended("server: {keys: [{name: a, key: x}, {name: b, key: x}]}\n"),
        "6: server.keys.b.key: is the same key as that of a",
    ),
    (
        extended('server: {keys: [{name: a, key: ""}]}\n'),
        "6: server.keys.a.key: is empty; anyone could use it",
    ),
    (
        extended("server: {keys: [{name: a, key: x, scopes: []}]}\n"),
        "6: server.keys.a.scopes: is empty; a key without scopes can do nothing",
    ),
    (
        extended("server: {keys: [{name: a, key: x, routes: []}]}\n"),
        "6: server.keys.a.routes: is empty, which nothing can match; remove the key if it should not limit anything",
    ),
    (
        BASE.replace("[small, large]", "[]"),
        "5: routes.auto.models: is empty; a route needs at least one model",
    ),
    (
        BASE.replace("]}", '], predictor: ""}'),
        "5: routes.auto.predictor: is empty; write default, or the path of a file",
    ),
    (
        BASE.replace("]}", "], retry: {hedge: fast}}"),
        "5: routes.auto.retry.hedge: needs a duration such as 500ms, 2s, 10m, 1h or 90d, not fast, or none",
    ),
    (
        BASE.replace(
            "]}",
            "], policy: {kind: complexity, light: small, medium: small, heavy: large, bands: [0.7, 0.3]}}",
        ),
        "5: routes.auto.policy.bands: must rise: [0.7, 0.3] does not",
    ),
    (
        rule("{keywords: []}"),
        "8: rules.r.when.keywords: is empty, which nothing can match; remove the key if it should not limit anything",
    ),
    (rule('{keywords: [a, " "]}'), "8: rules.r.when.keywords[1]: is empty"),
    (
        rule('{pattern: "(?=a)"}'),
        "8: rules.r.when.pattern: is no pattern that can be matched in linear time (RE2): invalid perl operator: (?=",
    ),
    (
        rule('{pattern: "a("}'),
        "8: rules.r.when.pattern: is no pattern that can be matched in linear time (RE2): missing ): a(",
    ),
    (rule('{pattern: ""}'), "8: rules.r.when.pattern: is empty; it would match everything"),
    (
        rule('{hours: "25:00-06:00"}'),
        "8: rules.r.when.hours: hours begin from 00:00 to 23:59 and end by 24:00",
    ),
    (
        rule('{hours: "evening"}'),
        '8: rules.r.when.hours: "evening" is not hours of a day: write "22:00-06:00 Europe/Berlin"',
    ),
    (
        rule('{hours: "22:00-06:00 Europe/Berln"}'),
        '8: rules.r.when.hours: "Europe/Berln" is not a time zone; did you mean "Europe/Berlin"?',
    ),
    (
        rule("{language: [english]}"),
        '8: rules.r.when.language[0]: "english" is no ISO 639-1 code such as en, de or zh',
    ),
    (
        rule("{min_complexity: 0.7, max_complexity: 0.3}"),
        "8: rules.r.when.min_complexity: 0.7 is more than max_complexity 0.3; nothing can match",
    ),
    (
        rule("{min_prompt_tokens: 70, max_prompt_tokens: 30}"),
        "8: rules.r.when.min_prompt_tokens: 70 is more than max_prompt_tokens 30; nothing can match",
    ),
    (
        rule("{}", "{min_tier: large, max_tier: small}"),
        "9: rules.r.use.min_tier: large is above max_tier small; no model fits",
    ),
    (
        rule("{}", "{tier: small, min_tier: medium}"),
        "9: rules.r.use.tier: small is outside min_tier medium; no model fits",
    ),
    (
        rule("{}", "{tier: large, max_tier: medium}"),
        "9: rules.r.use.tier: large is outside max_tier medium; no model fits",
    ),
    (
        rule("{}", "{models: []}"),
        "9: rules.r.use.models: is empty, which nothing can match; remove the key if it should not limit anything",
    ),
    (extended("budgets:\n  - {name: b, limit: 0, per: day}\n"), "7: budgets.b.limit: must be more than 0"),
    (
        extended("budgets:\n  - {name: b, limit: 1, per: day, zone: Mars}\n"),
        '7: budgets.b.zone: "Mars" is not a time zone, as in Europe/Berlin',
    ),
    (
        extended(
            "budgets:\n  - {name: b, limit: 1, per: day, ladder: [{at: 0.9, do: reject}, {at: 0.5, do: reject}]}\n"
        ),
        "7: budgets.b.ladder[1].at: 0.5 must be more than the step before, 0.9",
    ),
    (
        extended("budgets:\n  - {name: b, limit: 1, per: day, match: {users: []}}\n"),
        "7: budgets.b.match.users: is empty, which nothing can match; remove the key if it should not limit anything",
    ),
    (
        extended("experiments:\n  - {name: e, route: auto, share: 0.5, arms: {a: {}}}\n"),
        "7: experiments.e.arms: an experiment compares at least two arms",
    ),
    (extended('privacy: {sensitive_terms: [" "]}\n'), "6: privacy.sensitive_terms[0]: is empty"),
    (
        extended('store: {url: "mysql://x"}\n'),
        "6: store.url: needs sqlite:///FILE or postgresql://HOST/DATABASE",
    ),
    (
        extended('store: {url: "sqlite://router.db"}\n'),
        "6: store.url: needs three slashes and a file: sqlite:///router.db, sqlite:////var/lib/router.db",
    ),
    (extended("store: {retain: 0s}\n"), "6: store.retain: must be longer than 0s"),
    (
        extended("telemetry: {traces: collector:4317}\n"),
        "6: telemetry.traces: needs a URL that begins with http:// or https://",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), CASES)
def test_a_wrong_value_is_one_problem_with_its_line_and_what_to_do(text: str, sentence: str) -> None:
    findings = read(text)
    assert findings.problems == (f"router.yaml:{sentence}",)
    assert findings.config is None


def test_what_a_model_that_embeds_cannot_do_beside_it_is_a_warning() -> None:
    findings = read(model(capabilities="[embeddings, tools]"))
    assert findings.problems == ()
    assert findings.warnings == (
        "router.yaml:4: models.m.capabilities: a model with embeddings serves nothing else, so tools is of no use",
    )
