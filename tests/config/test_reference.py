from collections.abc import Iterator

from msgspec import Struct

from llm_inference_router.config import schema
from llm_inference_router.config.descriptions import sentence, written
from scripts import reference


def _structs() -> Iterator[type[Struct]]:
    for value in vars(schema).values():
        if isinstance(value, type) and issubclass(value, Struct) and value.__module__ == schema.__name__:
            yield value


def test_the_page_is_fresh() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), "run scripts/reference.py"


def test_every_key_has_one_sentence() -> None:
    for struct in _structs():
        form = struct.__struct_config__
        for key in (*struct.__struct_encode_fields__, *([form.tag_field] if form.tag_field else [])):
            said = sentence(struct, key)
            assert said.endswith("."), (struct, key)
            assert said[0].isupper() or said[0] == "`", (struct, key)
            assert ". " not in said, (struct, key)


def test_no_sentence_speaks_of_a_key_that_is_gone() -> None:
    known = {
        (struct.__name__, key)
        for struct in _structs()
        for key in (*struct.__struct_encode_fields__, struct.__struct_config__.tag_field)
    }
    assert written() <= known


def test_every_link_of_the_page_leads_to_a_heading() -> None:
    page = reference.page()
    headings = {reference._anchor(line[3:]) for line in page.splitlines() if line.startswith("## ")}
    links = {part.split(")")[0] for part in page.split("](#")[1:]}
    assert links
    assert links <= headings
