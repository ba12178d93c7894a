"""All checks together: everything in one go, and nothing that only follows from something else."""

from tests.config.reading import BASE, extended, read


def test_all_problems_come_in_one_go_in_the_order_of_the_file() -> None:
    text = """\
models:
  - {name: a, backend: olama, tier: smal, location: local, context: 8000}
  - {name: a, backend: simulated, tier: large, location: cloud, context: 8000, price: {input: 0.12345678}}
  - {name: a, name: b, backend: openai_compatible, tier: large, location: cloud, context: 1}
routes:
  auto: {models: [a, bb], polcy: {kind: fixed}}
rules:
  - {name: r, when: {pattern: "(", hours: "1"}, use: {min_tier: large, max_tier: small, models: [c]}}
server: {host: 0.0.0.0, drain: 1}
"""
    problems = read(text).problems
    assert [int(problem.split(":")[1]) for problem in problems] == [
        2,
        2,
        3,
        3,
        4,
        4,
        4,
        6,
        6,
        8,
        8,
        8,
        8,
        9,
        9,
    ]


def test_a_misspelt_key_does_not_also_count_as_missing() -> None:
    problems = read(BASE.replace("tier: small", "teir: small")).problems
    assert len(problems) == 1


def test_a_broken_name_does_not_make_every_reference_dangle() -> None:
    problems = read(BASE.replace("name: small", "name: 7")).problems
    assert len(problems) == 1


def test_a_broken_list_of_models_does_not_make_every_reference_dangle() -> None:
    assert len(read("models: 3\nroutes: {auto: {models: [a, b]}}\n").problems) == 1


def test_the_value_of_a_key_is_never_repeated() -> None:
    text = extended('server: {keys: [{name: a, key: "${SECRET}"}, {name: b, key: "${SECRET}"}], port: "${SECRET}"}\n')
    said = "\n".join(read(text, SECRET="sk-very-secret").problems)
    assert "is the same key as that of a" in said
    assert "sk-very-secret" not in said


def test_a_good_file_has_nothing_to_report() -> None:
    findings = read(BASE)
    assert (findings.problems, findings.warnings, findings.notes, findings.unset) == ((), (), (), ())
    assert findings.config is not None


def test_numbers_may_come_from_the_environment() -> None:
    findings = read(extended('server: {port: "${PORT:-4200}", max_body: "${SIZE}"}\n'), SIZE="1MiB")
    assert findings.config is not None
    assert findings.config.server.port == 4200
    assert findings.config.server.max_body == 1024 * 1024


def test_keys_open_other_hosts_and_loopback_needs_none() -> None:
    assert read(extended("server: {host: 0.0.0.0, keys: [{name: a, key: x}]}\n")).problems == ()
    for host in ("127.0.0.1", "127.9.9.9", '"::1"', "localhost"):
        assert read(extended(f"server: {{host: {host}}}\n")).problems == ()


def test_a_key_may_name_routes_and_models() -> None:
    assert read(extended("server: {keys: [{name: a, key: x, routes: [auto, large]}]}\n")).problems == ()
