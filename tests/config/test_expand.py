import pytest

from llm_inference_router.config.expand import Expansion
from llm_inference_router.config.yaml import Mapping, Scalar, read


def _files(path: str) -> str:
    if path == "/binary":
        return b"\xff".decode("utf-8")
    if path == "/large":
        raise ValueError("larger than 64 KiB")
    return {"/run/secret": "from-a-file\n", "relative": "near"}[path] if path != "/absent" else _missing()


def _missing() -> str:
    raise FileNotFoundError(2, "No such file or directory")


def _expand(value: str) -> tuple[Scalar, Expansion]:
    document = read(f"key: {value}\n")
    assert document.root is not None
    expansion = Expansion({"NAME": "value", "EMPTY": "", "YAML": "{a: [1, 2]}\n- &x !!x"}, _files)
    root = expansion.node(document.root)
    assert isinstance(root, Mapping)
    scalar = root.entries["key"].value
    assert isinstance(scalar, Scalar)
    return scalar, expansion


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("${NAME}", "value"),
        ("pre-${NAME}-post", "pre-value-post"),
        ("${NAME}${NAME}", "valuevalue"),
        ("${NAME:-other}", "value"),
        ("${ABSENT:-other}", "other"),
        ("${ABSENT:-}", ""),
        ("${EMPTY}", ""),
        ("${EMPTY:-other}", "other"),
        ('"${ABSENT:-http://a:1/b c}"', "http://a:1/b c"),
        ("${file:/run/secret}", "from-a-file"),
        ("${file:relative}", "near"),
        ("$${NAME}", "${NAME}"),
        ("cost $5 {x}", "cost $5 {x}"),
        ("${YAML}", "{a: [1, 2]}\n- &x !!x"),
    ],
)
def test_references_are_filled_in_after_parsing(written: str, text: str) -> None:
    scalar, expansion = _expand(written)
    assert scalar.text == text
    assert not expansion.problems
    assert not expansion.unset


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("${ABSENT}", "environment variable ABSENT is not set"),
        ("${file:/absent}", "file /absent cannot be read (No such file or directory)"),
        ("${file:/large}", "file /large cannot be read (larger than 64 KiB)"),
        ("${file:/binary}", "file /binary is not UTF-8 text"),
    ],
)
def test_a_reference_that_leads_nowhere_is_unset_and_stays_as_written(written: str, words: str) -> None:
    scalar, expansion = _expand(written)
    assert [problem.message for problem in expansion.unset] == [words]
    assert scalar.unset
    assert scalar.text == written


@pytest.mark.parametrize("written", ["${}", "${1A}", "${A B}", "${A-b}", '"${NAME"', "${A:-${NAME}}"])
def test_a_malformed_reference_is_a_problem(written: str) -> None:
    _, expansion = _expand(written)
    assert expansion.problems


def test_what_came_from_outside_is_never_shown() -> None:
    scalar, _ = _expand("${NAME}")
    assert scalar.shown == "${NAME}"
