"""Names that are given twice, that lead nowhere, or that are taken."""

# ruff: noqa: E501 - every sentence stands whole, as it is printed

import pytest

from tests.config.reading import BASE, extended, read, rule

CASES = [
    (
        BASE.replace("[small, large]", "[small, larg]"),
        '5: routes.auto.models[1]: "larg" is no model; did you mean "large"?',
    ),
    (
        BASE.replace("[small, large]", "[small, xyz]"),
        '5: routes.auto.models[1]: "xyz" is no model; there are small, large',
    ),
    (BASE.replace("[small, large]", "[small, small]"), '5: routes.auto.models[1]: "small" is listed twice'),
    (
        BASE.replace("name: large", "name: small"),
        '3: models.small.name: "small" is there already; a name is given once',
    ),
    (
        BASE.replace("name: large", "name: other"),
        '3: models.other.name: "other" is reserved; choose another name',
    ),
    (BASE.replace("  auto:", "  other:"), '5: routes.other: "other" is reserved; choose another name'),
    (
        BASE.replace("  auto:", "  small:"),
        '5: routes.small: "small" is also a model; both are asked for by name in `model`, so they must differ',
    ),
    (
        "models: []\nroutes: {a: {models: [x]}}\n",
        "1: models: is empty; there must be something that can answer",
    ),
    (
        BASE.split("routes:", maxsplit=1)[0] + "routes: {}\n",
        "4: routes: is empty; there must be something to ask for, such as auto",
    ),
    (
        BASE.replace("]}", "], policy: {kind: complexity, light: smll, medium: small, heavy: large}}"),
        '5: routes.auto.policy.light: "smll" is not one of the route\'s models; did you mean "small"?',
    ),
    (rule("{routes: [atuo]}"), '8: rules.r.when.routes[0]: "atuo" is no route; did you mean "auto"?'),
    (rule("{keys: [ops]}"), '8: rules.r.when.keys[0]: "ops" is no key; there are none'),
    (rule("{}", "{models: [smal]}"), '9: rules.r.use.models[0]: "smal" is no model; did you mean "small"?'),
    (
        extended("rules:\n  - {name: r, use: {}}\n  - {name: r, use: {}}\n"),
        '8: rules.r.name: "r" is there already; a name is given once',
    ),
    (
        extended("server: {keys: [{name: a, key: x, routes: [aut]}]}\n"),
        '6: server.keys.a.routes[0]: "aut" is no route or model; did you mean "auto"?',
    ),
    (
        extended("budgets:\n  - {name: b, limit: 1, per: day, match: {routes: [aut], keys: [x]}}\n"),
        '7: budgets.b.match.routes[0]: "aut" is no route; did you mean "auto"?',
    ),
    (
        extended("budgets:\n  - {name: b, limit: 1, per: day, ladder: [{at: 1, do: {models: [smal]}}]}\n"),
        '7: budgets.b.ladder[0].do.models[0]: "smal" is no model; did you mean "small"?',
    ),
    (
        extended("experiments:\n  - {name: e, route: aut, share: 0.5, arms: {a: {}, b: {}}}\n"),
        '7: experiments.e.route: "aut" is no route; did you mean "auto"?',
    ),
    (
        extended("experiments:\n  - {name: e, route: auto, share: 0.5, arms: {a: {}, b: {models: [lage]}}}\n"),
        '7: experiments.e.arms.b.models[0]: "lage" is no model; did you mean "large"?',
    ),
    (
        extended(
            "experiments:\n  - {name: e, route: auto, share: 0.5, arms: {a: {}, b: {policy: {kind: complexity, light: m, medium: small, heavy: large}}}}\n"
        ),
        '7: experiments.e.arms.b.policy.light: "m" is not one of the route\'s models',
    ),
    (
        extended("privacy: {levels: {sensitive: {models: [smal]}}}\n"),
        '6: privacy.levels.sensitive.models[0]: "smal" is no model; did you mean "small"?',
    ),
]


@pytest.mark.parametrize(("text", "sentence"), CASES)
def test_a_wrong_name_has_its_line_and_the_nearest_right_one(text: str, sentence: str) -> None:
    findings = read(text)
    assert f"router.yaml:{sentence}" in findings.problems
    assert findings.config is None
