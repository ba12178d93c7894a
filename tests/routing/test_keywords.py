"""Keywords are whole words in any case and any script."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.routing.keywords import compile_keywords, fold


def found(keyword: str, text: str) -> bool:
    return compile_keywords([keyword])(fold(text))


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("hi", "Hi!"),
        ("hi", "oh, HI there"),
        ("hi", "(hi)"),
        ("liability", "limits of liability."),
        ("power of attorney", "a Power\n of\tAttorney, signed"),
        ("straße", "DIE STRASSE IST LANG"),
        ("STRASSE", "in der Straße"),
        ("éclair", "un E\u0301CLAIR"),
        ("договор", "Подпишите ДОГОВОР сегодня"),
        ("σοφός", "Ο ΣΟΦΌΣ λέει"),
        ("अनुबंध", "यह अनुबंध है"),
        ("عقد", "هذا عقد جديد"),
        ("合同", "请检查这份合同的条款"),
        ("けいやく", "このけいやくは"),
        ("계약", "이 계약을 검토해 주세요"),
        ("สัญญา", "ตรวจสัญญานี้"),
        ("hello", "请说hello吧"),
        ("hello", "ＨＥＬＬＯ"),
        ("c++", "is C++11 fast?"),
        (".net", "learn ASP.NET"),
        ("#urgent", "see #urgent now"),
        ("a|b", "either a|b or nothing"),
    ],
)
def test_a_keyword_is_found_as_a_whole_word(keyword: str, text: str) -> None:
    assert found(keyword, text)


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("hi", "this machine"),
        ("hi", "hi_there"),
        ("hi", "hi5"),
        ("statute", "statutes"),
        ("power of attorney", "power over attorney"),
        ("power of attorney", "powerof attorney"),
        ("naïve", "naive"),
        ("договор", "договорённость"),
        ("बंध", "अनुबंध"),
        ("अनुबंध", "अनुबंधों"),
        ("合同", "合 同"),
        ("a.b", "axb"),
        ("hello", ""),
    ],
)
def test_a_part_of_a_word_is_no_match(keyword: str, text: str) -> None:
    assert not found(keyword, text)


def test_any_of_the_keywords_is_enough_and_none_of_them_never() -> None:
    assert compile_keywords(["bye", "hello"])(fold("hello"))
    assert not compile_keywords([])(fold("hello"))
    assert not compile_keywords(["  "])(fold("   "))


def test_a_lone_surrogate_breaks_nothing() -> None:
    assert found("hello", "\ud800 hello")


# Turkish dotted and dotless i have no common fold without knowing the language, and Unicode gives them none.
# A few letters fall apart into a letter and a sign, which is a border.
letters = st.characters(categories=["Lu", "Ll", "Nd"], max_codepoint=0x5FF, exclude_characters="ıİ").filter(
    lambda letter: fold(letter).decode().isalnum()
)
spaced = st.text(letters, min_size=1, max_size=8)


@given(
    word=spaced,
    before=st.sampled_from(["", " ", "(", "\n", "… "]),
    after=st.sampled_from(["", " ", ".", "\t", "!"]),
)
def test_any_word_is_found_between_borders_in_either_case(word: str, before: str, after: str) -> None:
    assert found(word, before + word.upper() + after)
    assert found(word.upper(), before + word + after)


@given(word=spaced, more=spaced)
def test_no_word_is_found_inside_a_longer_one(word: str, more: str) -> None:
    text = more + "-" + word
    assert found(word, text)
    assert not found(word, "x" + word)
    assert not found(word, word + "x")
    assert not found(word, "x" + word + more)


@given(
    word=st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=1, max_size=4),
    text=st.text(max_size=20),
)
def test_a_chinese_keyword_is_found_wherever_it_stands(word: str, text: str) -> None:
    assert found(word, "他" + word + "们")
    assert found(word, text) == (fold(word) in fold(text))


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    once = fold(text)
    assert fold(once.decode()) == once
