"""Problems of form, each with its line, its path and the nearest right spelling."""

# ruff: noqa: E501 - every sentence stands whole, as it is printed

import pytest

from tests.config.reading import BASE, extended, model, read, rule

CASES = [
    (
        BASE + "polcy: 1\n",
        "6: polcy: unknown key; known keys: models, routes, server, rules, budgets, experiments, privacy, store, telemetry",
    ),
    (BASE + "serer: {}\n", '6: serer: unknown key; did you mean "server"?'),
    (
        BASE.replace("[small, large]}", "[small, large], polcy: {kind: fixed}}"),
        '5: routes.auto.polcy: unknown key; did you mean "policy"?',
    ),
    (
        BASE.replace("tier: small", "tier: smal"),
        '2: models.small.tier: smal is not one of small, medium, large; did you mean "small"?',
    ),
    (BASE.replace("tier: small, ", ""), '2: models.small: missing key "tier" (one of small, medium, large)'),
    (BASE.replace("tier: small", "teir: small"), '2: models.small.teir: unknown key; did you mean "tier"?'),
    (BASE.replace("context: 8000", "context: 8k"), "2: models.small.context: needs a whole number, not 8k"),
    (BASE.replace("context: 8000", "context: 0"), "2: models.small.context: must be at least 1, not 0"),
    (
        BASE.replace("context: 8000", 'context: "8000"'),
        '2: models.small.context: needs a whole number: remove the quotes around "8000"',
    ),
    (
        BASE.replace("name: small", "name: 7"),
        '2: models.7.name: needs a text, but YAML reads 7 as a number; quote it: "7"',
    ),
    (
        BASE.replace("name: small", "name: no"),
        '2: models.no.name: needs a text, but YAML reads no as true or false; quote it: "no"',
    ),
    (
        BASE.replace("name: small", 'name: "a b"'),
        '2: models.a b.name: "a b" is no name: up to 100 letters, digits and . _ : / @ - after a letter or digit',
    ),
    (
        BASE.replace("name: small", 'name: "small\\n"'),
        '2: models.small\\n.name: "small\\n" is no name: up to 100 letters, digits and . _ : / @ - after a letter or digit',
    ),
    (
        BASE.replace("  auto:", '  "a b":'),
        '5: routes.a b: "a b" is no name: up to 100 letters, digits and . _ : / @ - after a letter or digit',
    ),
    (
        BASE.replace("[small, large]", "small"),
        "5: routes.auto.models: needs a list, not a single value: write [small]",
    ),
    (BASE.replace("{models: [small, large]}", "[small]"), "5: routes.auto: needs a mapping, not a list"),
    (BASE + "server: {port: 70000}\n", "6: server.port: must be between 0 and 65535, not 70000"),
    (
        BASE + "server: {drain: 60}\n",
        "6: server.drain: needs a duration such as 500ms, 2s, 10m, 1h or 90d: write the unit, 60s",
    ),
    (
        BASE + "server: {max_body: lots}\n",
        "6: server.max_body: needs a size such as 64KiB, 20MiB, 1GiB or a number of bytes, not lots",
    ),
    (BASE + "server:\n", "6: server: has no value; give it a mapping or remove the key"),
    (BASE + "server: {keys: [x]}\n", "6: server.keys[0]: needs a mapping, not a single value"),
    (BASE + "store: {content: yes}\n", "6: store.content: needs true or false, not yes"),
    (BASE + "telemetry: {log: xml}\n", "6: telemetry.log: xml is not one of json, text"),
    (
        rule("{hours: 22:00}"),
        '8: rules.r.when.hours: needs a text, but YAML reads 22:00 as a number; quote it: "22:00"',
    ),
    (
        rule("{task: [cod]}"),
        '8: rules.r.when.task[0]: cod is not one of chat, question_answering, reasoning, mathematics, code, writing, extraction, summarising, agent; did you mean "code"?',
    ),
    (
        rule("{tags: {n: 1}}"),
        '8: rules.r.when.tags.n: needs a text, but YAML reads 1 as a number; quote it: "1"',
    ),
    (
        BASE.replace("]}", "], policy: {kind: fixd}}"),
        '5: routes.auto.policy.kind: needs one of fixed, complexity, cheapest_above_bar, utility; did you mean "fixed"?',
    ),
    (
        BASE.replace("]}", "], policy: {bar: 0.5}}"),
        '5: routes.auto.policy: missing key "kind": one of fixed, complexity, cheapest_above_bar, utility',
    ),
    (
        BASE.replace("]}", "], policy: {kind: fixed, bar: 0.5}}"),
        "5: routes.auto.policy.bar: unknown key; known keys: kind",
    ),
    (
        BASE.replace("]}", "], policy: {kind: complexity, light: small, medium: small, heavy: large, bands: [0.1]}}"),
        "5: routes.auto.policy.bands: needs 2 values, not 1",
    ),
    (BASE.replace("]}", "], explore: 2%}"), "5: routes.auto.explore: needs a number: write 0.02 for 2%"),
    (model(breaker="off"), "4: models.m.breaker: needs a mapping or none, not off"),
    (model(health="[1]"), "4: models.m.health: needs a mapping or none, not a list"),
    (
        extended("budgets:\n  - {name: b, limit: 1, per: day, ladder: [{at: 1, do: rejct}]}\n"),
        "7: budgets.b.ladder[0].do: needs a mapping or reject, not rejct",
    ),
    (
        extended("privacy: {kinds: {ibn: restricted}}\n"),
        '6: privacy.kinds.ibn: ibn is not one of email, phone, credit_card, iban, national_id, ip_address, api_key, private_key, person_name; did you mean "iban"?',
    ),
    (
        BASE + "server: {port: ${PORT}}\n".replace("${PORT}", '"${PORT}"'),
        "6: server.port: needs a whole number, but what ${PORT} refers to is not set",
    ),
    ("- 1\n", "1: needs a mapping, not a list"),
    ("just text\n", "1: needs a mapping, not a single value"),
    (BASE + "routes: {}\n", "6: routes: duplicate key; it is already on line 4"),
    (
        BASE + 'store: {url: "${A:-${B}}"}\n',
        "6: store.url: a ${ that is not closed, or one inside another; write $${ for a literal ${",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), CASES)
def test_a_mistake_of_form_is_one_problem_with_its_line_and_its_suggestion(text: str, sentence: str) -> None:
    findings = read(text)
    assert findings.problems == (f"router.yaml:{sentence}",)
    assert findings.config is None
