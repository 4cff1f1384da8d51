"""The text, as numbers. Not to be edited."""

LETTERS = " abcdefghijklmnopqrstuvwxyz"


def encode(text):
    """A letter is its place in LETTERS; whatever else there is between words is one space."""
    words = "".join(c if c in LETTERS else " " for c in text.lower()).split()
    return [LETTERS.index(c) for c in " ".join(words)]


def read(path):
    with open(path, encoding="utf-8") as file:
        return encode(file.read())
