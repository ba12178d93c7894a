"""Long documents for the demo, written from templates, so that the package stays small. The same seed, the
same text.
"""

from collections.abc import Callable, Iterator, Mapping
from random import Random

# Characters of a token in common vocabularies: numbers take more tokens than words do.
_CHARS_PER_TOKEN = {"log": 2.5, "report": 3.1}
_CHARS_PER_TOKEN_OF_PROSE = 3.8
_NAMES = ("Ada", "Bruno", "Chidi", "Dana", "Emil", "Farah", "Goran", "Hana", "Ines", "Jonas", "Keiko", "Lars")
_REGIONS = ("north", "south", "east", "west", "islands", "export")
_TOPICS = (
    "the cooling pumps",
    "the customer portal",
    "the warehouse move",
    "the spare parts stock",
    "the night shift",
    "the sensor recall",
    "the new tariff",
    "the training plan",
    "the supplier audit",
    "the data migration",
)
_DUTIES = (
    "deliver the parts named in the schedule",
    "keep records of each inspection",
    "report any defect in writing",
    "give access to the site during working hours",
    "insure the goods until they are accepted",
    "replace faulty units at its own cost",
    "keep the other party's plans confidential",
)
_REMEDIES = ("withhold payment", "have the work done by others", "ask for a new date")
_ERRORS = (
    "connection pool exhausted",
    "certificate not yet valid",
    "timeout calling payments",
    "disk queue above limit",
    "stale leader refused write",
    "retry budget spent",
)
_CHECKS = (
    "the filter",
    "the sensor",
    "the drive belt",
    "the seals",
    "the pressure valve",
    "the lubrication line",
)


def write(kind: str, tokens: int, seed: int) -> str:
    """A document of about `tokens` tokens. Raises KeyError for a kind that is not one of `KINDS`."""
    random = Random(seed)
    parts: list[str] = []
    length = 0
    wanted = tokens * _CHARS_PER_TOKEN.get(kind, _CHARS_PER_TOKEN_OF_PROSE)
    for part in KINDS[kind](random):
        parts.append(part)
        length += len(part) + 1
        if length >= wanted:
            break
    return "\n".join(parts)


def _contract(random: Random) -> Iterator[str]:
    yield "FRAMEWORK AGREEMENT between the Supplier and the Buyer\n"
    number = 0
    while True:
        number += 1
        if number % 9 == 4:
            yield (
                f"{number}. Termination. Either party may end this agreement with"
                f" {random.choice((30, 60, 90))} days'"
                " notice to the end of a quarter. Sections on confidentiality and liability survive it."
            )
        elif number % 9 == 7:
            yield (
                f"{number}. Liability. The {random.choice(('Supplier', 'Buyer'))} is liable up to"
                f" {random.randrange(50, 500, 50)},000 euros a year, except for intent and gross negligence."
            )
        else:
            party, other = random.sample(("Supplier", "Buyer"), 2)
            yield (
                f"{number}. The {party} shall {random.choice(_DUTIES)} within {random.randrange(5, 45)}"
                f" days after a request of the {other}. If it fails to do so, the {other} may"
                f" {random.choice(_REMEDIES)}"
                f" under section {random.randint(1, number)}."
            )


def _minutes(random: Random) -> Iterator[str]:
    week = 0
    while True:
        week += 1
        present = random.sample(_NAMES, 5)
        yield f"\nMeeting {week}. Present: {', '.join(present)}."
        for item in range(1, 6):
            topic = random.choice(_TOPICS)
            yield (
                f"{week}.{item} {random.choice(present)} reports on {topic}. {random.choice(present)} asks"
                " whether"
                f" {random.choice(_TOPICS)} depends on it. The cost is put at {random.randrange(4, 90)}"
                " thousand."
            )
            if random.random() < 0.5:
                yield f"Decision: {topic} goes on"
                f" {random.choice(('as planned', 'with half the budget', 'in autumn'))}."
            else:
                yield f"Action: {random.choice(present)} clarifies {topic} before meeting"
                f" {week + random.randint(1, 3)}."


def _log(random: Random) -> Iterator[str]:
    second = 7200
    while True:
        second += random.randint(1, 40)
        stamp = f"{second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
        host = f"app-{random.randint(1, 6)}"
        roll = random.random()
        if roll < 0.12:
            yield f"{stamp} ERROR {host} request={random.randrange(10**6):06d} {random.choice(_ERRORS)}"
        elif roll < 0.30:
            yield f"{stamp} WARN  {host} latency_ms={random.randrange(800, 9000)} route=/checkout"
        else:
            yield f"{stamp} INFO  {host} served={random.randrange(10, 400)} queue={random.randrange(30)}"


def _report(random: Random) -> Iterator[str]:
    yield "Half-year report. Summary: revenue grew in every region, complaints fell, and the outlook is"
    " stable.\n"
    section = 0
    while True:
        section += 1
        yield f"\nSection {section}: {random.choice(_TOPICS)}"
        for region in _REGIONS:
            yield (
                f"region {region}: revenue {random.randrange(200, 900)} thousand"
                f" ({random.randint(-9, 14):+d} %),"
                f" complaints {random.randrange(5, 80)}, staff {random.randrange(8, 60)}"
            )
        yield (
            f"The change in the {random.choice(_REGIONS)} region is put down to {random.choice(_TOPICS)}."
            " The authors"
            f" expect {random.randint(-4, 9):+d} % for the next half year, based on"
            f" {random.randint(2, 40)} interviews."
        )


def _manual(random: Random) -> Iterator[str]:
    yield "Operating manual of the filling line, second edition.\n"
    chapter = 0
    while True:
        chapter += 1
        part = _CHECKS[(chapter - 1) % len(_CHECKS)]
        yield f"\nChapter {chapter}. Care of {part}"
        yield f"Inspect {part} every {random.randrange(50, 400, 50)} hours of operation, replace it"
        yield f"after {random.randrange(500, 4000, 250)} hours. Before that, switch off the line"
        yield f"and wait {random.randint(2, 9)} minutes."
        for step in range(1, 6):
            yield (
                f"  Step {step}: {random.choice(('loosen', 'clean', 'measure', 'dry', 'tighten'))} {part} at"
                f" {random.randrange(2, 40)} {random.choice(('Nm', 'bar', 'degrees'))} and note the value"
                " on the sheet."
            )


def _mails(random: Random) -> Iterator[str]:
    hour = 8
    while True:
        hour += random.randint(1, 5)
        sender, receiver = random.sample(_NAMES, 2)
        day = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")[hour // 10 % 5]
        yield f"\nFrom: {sender}\nTo: {receiver}\nDate: {day}, {8 + hour % 10}:{random.randrange(10, 60)}"
        yield (
            f"Dear {receiver}, about {random.choice(_TOPICS)}: I heard from {random.choice(_NAMES)} that"
            " it may slip by"
            f" {random.randint(2, 12)} days. Have we told the customer? I could meet on {day} at"
            f" {random.randint(9, 16)}."
            f" Until then I would leave {random.choice(_TOPICS)} as it is.\nRegards, {sender}"
        )


KINDS: Mapping[str, Callable[[Random], Iterator[str]]] = {
    "contract": _contract,
    "minutes": _minutes,
    "log": _log,
    "report": _report,
    "manual": _manual,
    "mails": _mails,
}
