import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.config import yaml
from llm_inference_router.config.yaml import Mapping, Scalar, Sequence, locate, read, render


def _lines(text: bytes | str) -> list[tuple[int, str]]:
    return [(problem.line, problem.message) for problem in read(text).problems]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "duplicate key; it is already on line 1"),
        ("a: {x: 1, x: 2}\n", 1, "duplicate key"),
        ("a: &here 1\n", 1, "anchor &here"),
        ("a: 1\nb: *here\n", 2, "alias *here"),
        ("a:\n  <<: {b: 1}\n", 2, "merge keys"),
        ("a: !!str 1\n", 1, "tags are not allowed"),
        ("a: !python/object:os.system x\n", 1, "tags are not allowed"),
        ("a: ! 1\n", 1, "tags are not allowed"),
        ("a: 1\n---\nb: 2\n", 2, "a second document"),
        ("? [a]\n: 1\n", 1, "a key must be a word"),
        ("a:\n\tb: 1\n", 2, "a tab cannot indent"),
        ("a: b: c\n", 1, "needs quotes"),
        ('a: "b\n', 2, "not closed"),
        ("m: {k: ${KEY}, b: 1}\n", 1, 'write "${NAME}" in quotes'),
        ("a: 1\nb\n", 3, 'a key without ": "'),
        ("a: @b\n", 1, "quote a text"),
        ("a: \x01\n", 1, "control character"),
        ("\n\na: b\x07\n", 3, "control character"),
        ("", 1, "the file is empty"),
        ("# only a comment\n", 1, "the file is empty"),
        (b"a: 1\nb: \xff\n", 2, "not UTF-8"),
        ("a: 1\nb: \ud800\n", 2, "lone surrogate"),
        ("[" * 100_000, 1, "nested deeper"),
        ("{a: " * 100_000, 1, "nested deeper"),
        ("- " * 40 + "x", 1, "nested deeper"),
        ("#" * (1024 * 1024 + 1), 1, "larger than 1024 KiB"),
        ("[" + "1, " * 200_000 + "]", 1, "too many values"),
    ],
)
def test_what_is_ambiguous_or_broken_is_refused_with_its_line(text: bytes | str, line: int, words: str) -> None:
    found = _lines(text)
    assert [at for at, message in found if words in message] == [line], found


def test_all_duplicates_and_aliases_are_reported_in_one_go() -> None:
    assert len(_lines("a: &x 1\na: *x\nb: 1\nb: 2\n<<: {c: 1}\n")) == 5


def test_an_alias_of_an_alias_is_never_expanded() -> None:
    bomb = "a: &a [x, x]\n" + "".join(f"{c}: &{c} [*{p}, *{p}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True))
    assert len(_lines(bomb)) == 9 + 16


def test_scalars_stay_as_they_were_written() -> None:
    root = read('a: 22:00\nb: no\nc: "no"\nd: 1_000\ne: |\n  two\n  lines\n').root
    assert isinstance(root, Mapping)
    values = {key: entry.value for key, entry in root.entries.items()}
    assert {key: (value.text, value.plain) for key, value in values.items() if isinstance(value, Scalar)} == {
        "a": ("22:00", True),
        "b": ("no", True),
        "c": ("no", False),
        "d": ("1_000", True),
        "e": ("two\nlines\n", False),
    }


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    root = read(b"\xef\xbb\xbfa: 1\n").root
    assert isinstance(root, Mapping)
    assert list(root.entries) == ["a"]


def test_a_path_has_the_line_of_its_key_or_of_the_nearest_thing_above_it() -> None:
    root = read("models:\n  - name: a\n    tier: small\n  - {name: b}\n").root
    assert locate(root, ("models",)) == 1
    assert locate(root, ("models", 0, "tier")) == 3
    assert locate(root, ("models", 1)) == 4
    assert locate(root, ("models", 1, "absent", 3)) == 4
    assert locate(root, ("absent",)) == 1


def test_items_go_by_their_name_where_they_have_one() -> None:
    root = read("models:\n  - name: a\n    price: {input: 1}\n  - {tier: small}\n").root
    assert render(root, ("models", 0, "price", "input")) == "models.a.price.input"
    assert render(root, ("models", 1, "tier")) == "models[1].tier"
    assert render(root, ()) == ""


def test_sequences_and_mappings_keep_their_order() -> None:
    root = read("b: [1, 2]\na: []\n").root
    assert isinstance(root, Mapping)
    assert list(root.entries) == ["b", "a"]
    value = root.entries["b"].value
    assert isinstance(value, Sequence)
    assert [item.text for item in value.items if isinstance(item, Scalar)] == ["1", "2"]


@given(st.one_of(st.text(max_size=200), st.binary(max_size=200), st.text("[]{}:,-&*!|>'\"%@`#? \n\tab<1", max_size=80)))
def test_any_text_is_read_or_refused_but_never_raises(text: str | bytes) -> None:
    document = read(text)
    assert document.root is not None or document.problems
    assert all(problem.line >= 1 for problem in document.problems)


def test_without_libyaml_the_slow_parser_refuses_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    import yaml as pyyaml

    monkeypatch.setattr(yaml, "_LOADER", pyyaml.SafeLoader)
    assert [line for line, _ in _lines("a: &x 1\nb: *x\na: 2\n")] == [1, 2, 3]
    assert _lines("[" * 1000)[0][1].startswith("nested deeper")
    assert _lines("a:\n\tb: 1\n") == [(2, "a tab cannot indent; use spaces")]
