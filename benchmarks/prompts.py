"""Prompts of a wanted length, written for the benchmark: English prose, Python, Chinese and Japanese; no two alike."""

from collections.abc import Iterator, Mapping
from random import Random
from typing import Literal

Kind = Literal["prose", "code", "cjk"]
KINDS: tuple[Kind, ...] = ("prose", "code", "cjk")

_CHARS_PER_TOKEN: Mapping[Kind, float] = {"prose": 4.4, "code": 3.2, "cjk": 1.2}  # of common vocabularies, about
_WHO = ("the harbour master", "our supplier", "a visiting engineer", "the night crew", "the auditor", "my neighbour")
_DID = ("wrote down", "questioned", "repaired", "measured", "postponed", "explained", "forgot", "compared")
_WHAT = ("the spare pumps", "two old invoices", "the timetable", "a broken valve", "the water levels", "the lease")
_WHEN = ("before noon", "in the second week of May", "after the storm", "on 14 March 2019", "while it rained")
_WHY = ("since nobody else was there", "because the figures did not add up", "to be on the safe side", "as agreed")
_NAMES = ("count", "total", "orders", "buffer", "offset", "limit", "cursor", "weights", "rows", "payload")
_CALLS = ("merge", "parse", "lookup", "normalise", "schedule", "collect", "shift", "reduce")
_CJK_WHO = ("港口的工程师", "我们的供应商", "田中さん", "夜班的同事", "図書館の職員", "隔壁的邻居")
_CJK_DID = ("检查了", "比较了", "修理了", "を調べて", "を書き直して", "重新计算了")
_CJK_WHAT = ("备用的水泵", "两张旧发票", "新しい時刻表", "破损的阀门", "去年的报表", "会議の記録")
_CJK_END = ("，因为数字对不上。", "。それから報告書を送りました。", "，下周还要继续。", "，一共花了3天。")
_ASKS: Mapping[Kind, str] = {
    "prose": "What follows from this for next year, and why? Name three reasons.",
    "code": "Find the bug in this module and explain why it happens.",
    "cjk": "请总结以上内容，并说明原因。",
}


def prompts(kind: Kind, tokens: int, count: int, seed: int = 1) -> list[str]:
    """`count` prompts of about `tokens` tokens each: an ask after the text that it is about."""
    random = Random(f"{kind} {tokens} {seed}")
    size = round(tokens * _CHARS_PER_TOKEN[kind])
    ask = _ASKS[kind]
    found = []
    for _ in range(count):
        text, written = [], 0
        for sentence in _sentences(kind, random):
            text.append(sentence)
            written += len(sentence)
            if written >= size - len(ask):
                break
        found.append("".join(text)[: max(0, size - len(ask) - 2)] + "\n\n" + ask if size > len(ask) else ask[:size])
    return found


def _sentences(kind: Kind, random: Random) -> Iterator[str]:
    one = random.choice
    while True:
        if kind == "prose":
            yield f"{one(_WHO)} {one(_DID)} {one(_WHAT)} {one(_WHEN)}, {one(_WHY)}. ".capitalize()
        elif kind == "code":
            name, call = one(_NAMES), one(_CALLS)
            yield (
                f"def {call}_{name}({name}: list[int], {one(_NAMES)}: int = {random.randrange(900)}) -> int:\n"
                f"    for item in {name}:\n        if item % {random.randrange(2, 99)} == 0:\n"
                f"            {one(_NAMES)} += {one(_CALLS)}(item)\n    return {one(_NAMES)}\n\n"
            )
        else:
            yield one(_CJK_WHO) + one(_CJK_DID) + one(_CJK_WHAT) + one(_CJK_END)
