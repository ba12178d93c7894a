"""The words of a simulated answer: filler of the right length, in the language of the ask, that says what it
is.
"""

import re
from collections.abc import Mapping

from llm_inference_router.backends.simulated_draws import Draws
from llm_inference_router.vocabulary import Tier

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_PIECE = re.compile(
    rf"[{_CJK}]| ?(?:(?![{_CJK}])[^\W\d_]){{1,6}}|(?:(?![{_CJK}])[^\W\d_]){{1,6}}| ?\d{{1,3}}|\s+|.",
    re.DOTALL,
)
_COUNTED = 4000

FILLER: Mapping[str, tuple[str, ...]] = {
    "en": (
        "Here is what matters for your request.",
        "This text only stands in for an answer, and has about the length of one.",
        "A real model would now go through the points one after the other.",
        "First the question is put in plain words, then the facts that bear on it are named.",
        "After that the steps follow, each with the reason for it.",
        "Where something is uncertain, a careful answer would say so.",
        "At the end stands a short conclusion that can be used directly.",
    ),
    "de": (
        "Hier ist das Wichtigste zu Ihrer Anfrage.",
        "Dieser Text steht nur für eine Antwort und hat ungefähr deren Länge.",
        "Ein echtes Modell würde nun die Punkte der Reihe nach durchgehen.",
        "Zuerst wird die Frage in einfachen Worten gefasst, dann folgen die Tatsachen.",
        "Danach kommen die Schritte, jeder mit seiner Begründung.",
        "Am Ende steht ein kurzer Schluss, den man gleich verwenden kann.",
    ),
    "fr": (
        "Voici l'essentiel pour votre demande.",
        "Ce texte tient seulement lieu de réponse et en a à peu près la longueur.",
        "Un vrai modèle passerait maintenant les points en revue l'un après l'autre.",
        "D'abord la question est reformulée simplement, puis viennent les faits utiles.",
        "Les étapes suivent, chacune avec sa raison.",
        "À la fin se trouve une courte conclusion directement utilisable.",
    ),
    "es": (
        "Esto es lo esencial para su consulta.",
        "Este texto solo ocupa el lugar de una respuesta y tiene más o menos su longitud.",
        "Un modelo real repasaría ahora los puntos uno tras otro.",
        "Primero se plantea la pregunta con palabras sencillas y luego se nombran los hechos.",
        "Después siguen los pasos, cada uno con su motivo.",
        "Al final hay una breve conclusión que se puede usar directamente.",
    ),
    "it": (
        "Ecco l'essenziale per la sua richiesta.",
        "Questo testo sta solo al posto di una risposta e ne ha circa la lunghezza.",
        "Un modello vero esaminerebbe ora i punti uno dopo l'altro.",
        "Prima la domanda viene posta con parole semplici, poi si nominano i fatti.",
        "Seguono i passi, ciascuno con la sua ragione.",
        "Alla fine c'è una breve conclusione che si può usare subito.",
    ),
    "pt": (
        "Aqui está o essencial para o seu pedido.",
        "Este texto apenas ocupa o lugar de uma resposta e tem mais ou menos o seu tamanho.",
        "Um modelo real passaria agora pelos pontos um a um.",
        "Primeiro a pergunta é posta em palavras simples, depois vêm os factos.",
        "Seguem-se os passos, cada um com a sua razão.",
        "No fim há uma conclusão curta que se pode usar logo.",
    ),
    "nl": (
        "Dit is het belangrijkste voor uw vraag.",
        "Deze tekst staat alleen in de plaats van een antwoord en is ongeveer even lang.",
        "Een echt model zou nu de punten een voor een doorlopen.",
        "Eerst wordt de vraag in gewone woorden gesteld, daarna volgen de feiten.",
        "Aan het eind staat een korte conclusie die direct bruikbaar is.",
    ),
    "pl": (
        "Oto najważniejsze informacje dotyczące pytania.",
        "Ten tekst tylko zastępuje odpowiedź i ma mniej więcej jej długość.",
        "Prawdziwy model omówiłby teraz punkty po kolei.",
        "Najpierw pytanie zostaje ujęte prostymi słowami, potem podane są fakty.",
        "Na końcu znajduje się krótki wniosek.",
    ),
    "tr": (
        "İsteğiniz için önemli olan şudur.",
        "Bu metin yalnızca bir yanıtın yerini tutar ve yaklaşık onun uzunluğundadır.",
        "Gerçek bir model şimdi noktaları sırayla ele alırdı.",
        "Önce soru sade sözcüklerle kurulur, sonra ilgili bilgiler sayılır.",
        "Sonunda hemen kullanılabilecek kısa bir sonuç bulunur.",
    ),
    "ru": (
        "Вот главное по вашему запросу.",
        "Этот текст лишь стоит на месте ответа и имеет примерно его длину.",
        "Настоящая модель теперь рассмотрела бы пункты один за другим.",
        "Сначала вопрос излагается простыми словами, затем называются факты.",
        "Потом идут шаги, каждый со своим обоснованием.",
        "В конце стоит краткий вывод, который можно сразу использовать.",
    ),
    "ar": (
        "إليك أهم ما يخص طلبك.",
        "هذا النص يحل محل الجواب فقط وله طوله تقريبا.",
        "كان النموذج الحقيقي سيعرض النقاط الآن واحدة بعد الأخرى.",
        "يوضع السؤال أولا بكلمات بسيطة ثم تذكر الحقائق.",
        "وفي النهاية خلاصة قصيرة يمكن استعمالها مباشرة.",
    ),
    "hi": (
        "आपके अनुरोध के लिए मुख्य बात यह है।",
        "यह पाठ केवल उत्तर के स्थान पर है और लगभग उतना ही लंबा है।",
        "एक वास्तविक मॉडल अब बिंदुओं को एक-एक करके समझाता।",
        "पहले प्रश्न सरल शब्दों में रखा जाता है, फिर तथ्य बताए जाते हैं।",
        "अंत में एक छोटा निष्कर्ष होता है जिसका सीधे उपयोग किया जा सकता है।",
    ),
    "zh": (
        "以下是您请求的要点。",
        "这段文字只是代替回答，长度大致相当。",
        "真正的模型现在会逐一说明各个要点。",
        "首先用简单的话重述问题，然后列出相关事实。",
        "最后是一个可以直接使用的简短结论。",
    ),
    "ja": (
        "ご依頼の要点は次のとおりです。",
        "この文章は回答の代わりに置かれたもので、長さはおおよそ同じです。",
        "本物のモデルなら、ここで要点を順に説明します。",
        "まず質問を平易な言葉で述べ、次に関係する事実を挙げます。",
        "最後に、そのまま使える短い結論があります。",
    ),
    "ko": (
        "요청하신 내용의 핵심은 다음과 같습니다.",
        "이 글은 답변을 대신할 뿐이며 길이만 비슷합니다.",
        "실제 모델이라면 이제 요점을 하나씩 설명할 것입니다.",
        "먼저 질문을 쉬운 말로 정리하고 관련 사실을 제시합니다.",
        "마지막에는 바로 쓸 수 있는 짧은 결론이 있습니다.",
    ),
}

# Scripts name their language; the kana come before the ideographs, which Japanese uses too.
_SCRIPTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7af]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
)
_SMALL_WORDS: Mapping[str, str] = {
    "en": "the is are what how and of to in for my can please with this",
    "de": "der die das und ist ich wie ein eine nicht für mit bitte mein den zu von was sie auf",
    "fr": "le la les est une des et je comment vous pour mon dans pas que du quel quelle merci",
    "es": "el los una es y cómo para mi que por con qué cuál gracias del las está hola",
    "it": "il gli una è che come per mio con di non grazie della sono quale ciao dove",
    "pt": "o os uma é que como para meu com não obrigado do da são qual você olá onde",
    "nl": "het een en ik hoe voor mijn niet van dank wat zijn kan hoi welke",
    "pl": "jest jak nie dla mój czy się proszę dziękuję z na do co jaki",
    "tr": "bir ve bu nasıl için ne mi merhaba teşekkür nedir benim var",
}
_WORDS = {name: frozenset(words.split()) for name, words in _SMALL_WORDS.items()}
_CODE = re.compile(
    r"```|(?i:\b(?:python|javascript|typescript|sql|regex|rust|golang|java|bash|function|unit tests?|refactor"
    r"|stack ?trace|code|compile[rs]?|query|script|endpoint|class)\b)"
)
_CODE_LINES = (
    "    value = step(value)",
    "    check(value)",
    "    result.append(value)",
    "    # placeholder, not a real solution",
)


def pieces(text: str) -> list[str]:
    """Splits text into tokens of a made-up vocabulary: up to six letters, three digits, or one ideograph
    each.
    """
    return _PIECE.findall(text)


def count(text: str) -> int:
    """Tokens of a text; beyond 4,000 characters the first 4,000 stand for the rest."""
    if len(text) <= _COUNTED:
        return len(pieces(text))
    return len(pieces(text[:_COUNTED])) * len(text) // _COUNTED


def language(text: str) -> str:
    """The language of a text, by script or by its small words; English when nothing tells."""
    head = text[:1000]
    for name, script in _SCRIPTS:
        if len(script.findall(head)) * 4 > len(head.split()):
            return name
    words = set(re.findall(r"[^\W\d_]+", head.lower()))
    return max(_WORDS, key=lambda name: len(words & _WORDS[name]))


def about_code(ask: str) -> bool:
    return _CODE.search(ask[:4000]) is not None


def mark(tier: Tier) -> str:
    """What every simulated text begins with."""
    return f"(simulated {tier} model)"


def compose(ask: str, tier: Tier, tokens: int, draws: Draws, result: str = "") -> str:
    """About `tokens` tokens of filler for an ask. `result`, a tool's answer, is quoted."""
    lines = [mark(tier)]
    if result:
        lines.append(result[:300])
    sentences = FILLER[language(ask)]
    spaced = not re.match(rf"[{_CJK}]", sentences[0])
    at = 0
    length = count(lines[0]) + count(result[:300])
    code = about_code(ask) and tokens > 80
    while length < tokens:
        sentence = (
            sentences[at % len(sentences)] if at < len(sentences) else sentences[1 + draws.below(len(sentences) - 1)]
        )
        if code and at == 2:
            sentence = _block(draws)
        lines.append(sentence)
        length += count(sentence) + 1
        at += 1
    return (" " if spaced else "").join([lines[0] + ("" if spaced else " "), *lines[1:]])


def _block(draws: Draws) -> str:
    body = "\n".join(_CODE_LINES[draws.below(len(_CODE_LINES))] for _ in range(6))
    return f"\n\n```python\ndef placeholder(value):\n{body}\n    return value\n```\n\n"
