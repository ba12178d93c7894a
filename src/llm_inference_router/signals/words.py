"""Word lists as they are written in the sources: one text, words parted by spaces."""


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())
