"""What constraints leave: problems where it is nothing at all, warnings where it is nothing somewhere."""

# ruff: noqa: E501 - every sentence stands whole, as it is printed

import pytest

from tests.config.reading import extended, model, read, rule

CASES = [
    (rule("{}", "{tier: medium}"), "9: rules.r.use: fits none of the models"),
    (
        extended("privacy: {levels: {restricted: {region: eu}}}\n"),
        "6: privacy.levels.restricted: leaves no route with any model: restricted requests could never be answered",
    ),
    (
        extended("budgets:\n  - {name: b, limit: 1, per: day, ladder: [{at: 1, do: {tier: medium}}]}\n"),
        "7: budgets.b.ladder[0].do: fits none of the models; write reject to refuse",
    ),
    (
        extended("experiments:\n  - {name: e, route: auto, share: 0.5, arms: {a: {}, b: {region: eu}}}\n"),
        "7: experiments.e.arms.b: leaves route auto without any model",
    ),
    (
        extended(
            "experiments:\n  - {name: e, route: auto, share: 0.6, arms: {a: {}, b: {}}}\n  - {name: f, route: auto, share: 0.6, arms: {a: {}, b: {}}}\n"
        ),
        "8: experiments.f.share: the experiments on auto take 1.2 of it, more than all",
    ),
]

WARNINGS = [
    (
        model(backend="openai", location="cloud"),
        "4: models.m.api_key: api.openai.com wants a key; add for example api_key: ${OPENAI_API_KEY}",
    ),
    (
        model(backend="anthropic", location="cloud", api_key='""'),
        "4: models.m.api_key: api.anthropic.com wants a key; add for example api_key: ${ANTHROPIC_API_KEY}",
    ),
    (
        extended(
            "  cloud: {models: [large]}\n  far: {models: [large]}\nrules:\n  - {name: r, use: {location: local}}\n"
        ),
        "9: rules.r.use: leaves routes cloud, far without any model; what it matches there is refused",
    ),
    (
        extended("  cloud: {models: [large]}\nrules:\n  - {name: r, when: {routes: [cloud]}, use: {tier: small}}\n"),
        "8: rules.r.use: leaves route cloud without any model; what it matches there is refused",
    ),
    (
        extended("  cloud: {models: [large]}\nprivacy: {levels: {sensitive: {location: local}}}\n"),
        "7: privacy.levels.sensitive: leaves route cloud without any model; sensitive requests there are refused",
    ),
    (
        extended("rules:\n  - {name: all, use: {}}\n  - {name: late, use: {}}\n"),
        "8: rules.late: is never reached: all before it has no conditions, so it always matches",
    ),
    (
        extended("budgets:\n  - {name: b, limit: 1, per: day, ladder: [{at: 1, do: reject}, {at: 2, do: reject}]}\n"),
        "7: budgets.b.ladder[1].at: is never reached: the step before rejects",
    ),
    (
        extended('telemetry: {traces: "${COLLECTOR}"}\n'),
        "6: telemetry.traces: environment variable COLLECTOR is not set",
    ),
    (
        extended('server: {keys: [{name: a, key: "${file:/run/secrets/a}"}]}\n'),
        "6: server.keys.a.key: file /run/secrets/a cannot be read (No such file or directory)",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), CASES)
def test_a_constraint_that_leaves_nothing_is_a_problem(text: str, sentence: str) -> None:
    findings = read(text)
    assert findings.problems == (f"router.yaml:{sentence}",)
    assert findings.config is None


@pytest.mark.parametrize(("text", "sentence"), WARNINGS)
def test_warnings_leave_the_config_usable(text: str, sentence: str) -> None:
    findings = read(text)
    assert findings.problems == ()
    assert findings.warnings == (f"router.yaml:{sentence}",)
    assert findings.config is not None
