"""Language of a short text, by script first and by frequent words where scripts are shared; "und" when it
cannot be told."""

import re
from collections.abc import Sequence
from typing import Literal, TypeAlias

Script: TypeAlias = Literal[
    "latin", "cyrillic", "greek", "hebrew", "arabic", "indic", "thai", "han", "kana", "hangul", "none"
]

# Upper ends of blocks of code points that hold letters; what lies between is punctuation, digits and symbols.
_RANGES: tuple[tuple[int, int, Script], ...] = (
    (0x0041, 0x024F, "latin"),
    (0x0370, 0x03FF, "greek"),
    (0x0400, 0x052F, "cyrillic"),
    (0x0590, 0x05FF, "hebrew"),
    (0x0600, 0x077F, "arabic"),
    (0x0900, 0x0DFF, "indic"),
    (0x0E00, 0x0E7F, "thai"),
    (0x1E00, 0x1EFF, "latin"),
    (0x3040, 0x30FF, "kana"),
    (0x3400, 0x9FFF, "han"),
    (0xAC00, 0xD7AF, "hangul"),
    (0xFB50, 0xFDFF, "arabic"),
)
# One ideograph or syllable says about as much as three Latin letters, so a few of them outweigh English
# terms of art.
_WEIGHT: dict[Script, int] = {"han": 3, "kana": 3, "hangul": 2}
_SAMPLES = 48

_FOREIGN = re.compile("[\u0370-\U0010ffff]")
_KANA = re.compile("[\u3040-\u30ff]")
_UKRAINIAN = re.compile("[іїєґ]")
_PERSIAN = re.compile("[پچژگک]")

_STOP_WORDS = {
    "en": (
        "a the of and to in is that for it with as was on are be this by you not or from have an they "
        "which what how write who can do does my me your please why if would hello hi thanks when where "
        "should could at will give explain"
    ),
    "de": (
        "der die das und ist nicht ein eine einen den dem des mit für auf sich wie was ich sie es im zu "
        "von auch wird bitte warum wer wo wann dass oder als mir mein hallo danke schreibe erkläre beweise "
        "kannst bei"
    ),
    "fr": (
        "le la les des et est une un que qui dans pour pas sur avec ce cette je vous il elle au aux du "
        "plus par pourquoi comment quel quelle quelles merci bonjour mon ma sont écris explique où deux "
        "moi"
    ),
    "es": (
        "el la los las y es una un que de en para con por no se del al lo como qué cuál quién cuándo dónde "
        "está mi gracias hola son escribe explica porque cómo más su dos me"
    ),
    "it": (
        "il lo gli la le e è una un che di in per con non si del della nel come quale chi quando dove "
        "perché mi mio grazie ciao sono scrivi spiega più questo dei delle due al"
    ),
    "pt": (
        "o os as e é uma um que de em para com não se do da dos das no na como qual quem quando onde por "
        "meu minha obrigado obrigada olá são escreva explique você mais está dois ao me"
    ),
    "nl": (
        "de het een en is van dat niet met op voor aan zijn er wat hoe waarom wie waar wanneer ik je mijn "
        "bij ook dit hallo bedankt schrijf welke naar uit leg door om te"
    ),
    "pl": (
        "i w nie na to się jest z że do jak co czy dlaczego kto gdzie kiedy mi mój moja proszę dziękuję "
        "cześć który która napisz wyjaśnij dla po od jaka jakie są ile oraz"
    ),
    "tr": (
        "ve bir bu için ne nasıl neden kim nerede değil ile mi mı mu da de daha çok var ben sen merhaba "
        "teşekkürler lütfen yaz açıkla hangi olan gibi kaç nedir bana"
    ),
    "sv": "och det att är en ett som på för med inte av den hur vad varför jag du hej tack skriv till",
    "da": "og det at er en et som på for med ikke af den hvordan hvad hvorfor jeg du hej tak skriv til",
    "cs": "a je se na že to jak co proč kdo kde když není ve pro ahoj děkuji prosím napiš který jsou",
    "ro": "și este nu în cu pe la un o să ce cum cine unde de mulțumesc salut pentru scrie care sunt",
    "fi": "ja on ei se että mikä miten miksi kuka missä hei kiitos kirjoita minun ovat",
    "id": ("yang dan di dengan untuk ini itu apa bagaimana mengapa siapa saya terima kasih tidak dari adalah tulis"),
    "vi": "và là của có không cho trong một những các được viết bài tôi với như thế nào hãy",
}
# Whole numbers, and a fixed order between equals: the result does not depend on the order of a set.
_ORDER = tuple(_STOP_WORDS)
_WHOLE, _MARK_VOTE, _ENOUGH = 60, 42, 30


def _votes() -> dict[str, tuple[tuple[int, int], ...]]:
    """word -> (index of a language, votes), a word's votes shared between the languages that have it."""
    owners: dict[str, dict[int, None]] = {}
    for i, words in enumerate(_STOP_WORDS.values()):
        for word in words.split():
            owners.setdefault(word, {})[i] = None
    return {word: tuple((i, _WHOLE // len(found)) for i in found) for word, found in owners.items()}


VOTES = _votes()
_MARK_OF = {
    "ß": "de",
    "ä": "de",
    "ü": "de",
    "ö": "de",
    "ñ": "es",
    "¿": "es",
    "¡": "es",
    "ã": "pt",
    "õ": "pt",
    "ł": "pl",
    "ę": "pl",
    "ą": "pl",
    "ś": "pl",
    "ż": "pl",
    "ı": "tr",
    "ğ": "tr",
    "ş": "tr",
    "œ": "fr",
    "è": "fr",
    "ê": "fr",
    "ô": "fr",
    "ì": "it",
    "ò": "it",
    "å": "sv",
    "ø": "da",
    "æ": "da",
    "ř": "cs",
    "ě": "cs",
    "ů": "cs",
    "ț": "ro",
    "ă": "ro",
    "đ": "vi",
    "ơ": "vi",
}
_LETTERS = {mark: _ORDER.index(language) for mark, language in _MARK_OF.items()}
_MARKS = re.compile("[" + "".join(_LETTERS) + "]")


def script_of(text: str) -> Script:
    """The script most letters of a sample of `text` belong to; "none" for a text without letters."""
    if text.isascii() or not _FOREIGN.search(text):
        return "latin"
    counts: dict[Script, int] = {}
    for char in text[:: len(text) // _SAMPLES + 1]:
        code = ord(char)
        for low, high, script in _RANGES:
            if code <= high:
                if code >= low and (code > 0x7A or code < 0x5B or code > 0x60):
                    counts[script] = counts.get(script, 0) + _WEIGHT.get(script, 1)
                break
    if not counts:
        return "none"
    best = max(counts, key=counts.__getitem__)
    if best == "latin" and len(counts) > 1:
        # Terms of art stay Latin inside other scripts: a third of the letters is enough to name the language.
        other = max((s for s in counts if s != "latin"), key=counts.__getitem__)
        return other if 2 * counts[other] >= counts["latin"] else best
    if best == "han" and _KANA.search(text):
        return "kana"
    return best


def language_of(text: str, votes: Sequence[int], script: Script) -> str:
    """ISO 639-1 code of a lower-cased text, with its words' `votes` for the languages; "und" when nothing tells."""
    if script == "latin":
        return _latin(text, votes)
    if script == "cyrillic":
        return "uk" if _UKRAINIAN.search(text) else "ru"
    if script == "arabic":
        return "fa" if _PERSIAN.search(text) else "ar"
    return _BY_SCRIPT.get(script, "und")


_BY_SCRIPT: dict[Script, str] = {
    "greek": "el",
    "hebrew": "he",
    "indic": "hi",
    "thai": "th",
    "han": "zh",
    "kana": "ja",
    "hangul": "ko",
}


def _latin(text: str, votes: Sequence[int]) -> str:
    if not text.isascii():
        votes = list(votes)
        for mark in set(_MARKS.findall(text)):
            votes[_LETTERS[mark]] += _MARK_VOTE
    best = max(votes)
    return _ORDER[votes.index(best)] if best >= _ENOUGH else "und"
