"""python3 evaluate.py ARTIFACTS TEXT: bits a letter of the model in ARTIFACTS, as a line of JSON, passage by passage.

It reads a table of numbers and runs nothing that a run has left.
"""

import json
import math
import sys

from prepare import LETTERS, read

PASSAGE = 400
MOST = 4
LARGEST = 1e6  # far from where a float is too coarse to tell scores apart

with open(f"{sys.argv[1]}/model.json") as file:
    tables = json.load(file)["tables"]
size = len(LETTERS)


def fits(model, *lengths):
    """Whether it is lists of these lengths in one another, with numbers in the innermost: nothing else, no NaN, none too large."""
    if not lengths:
        return type(model) in (int, float) and abs(model) <= LARGEST
    return type(model) is list and len(model) == lengths[0] and all(fits(part, *lengths[1:]) for part in model)


if not any(fits(tables, count, size, size) for count in range(1, MOST + 1)):
    sys.exit(f"a model has 1 to {MOST} tables of {size} × {size} numbers, none beyond {LARGEST:.0e}")


def bits(text, at):
    columns = zip(*(table[text[at - 1 - back]] for back, table in enumerate(tables)))
    scores = [sum(column) for column in columns]
    top = max(scores)
    total = sum(math.exp(score - top) for score in scores)
    # In this order, so that what is large cancels first.
    return (math.log(total) - (scores[text[at]] - top)) / math.log(2)


text = read(sys.argv[2])
passages = [text[start : start + PASSAGE] for start in range(0, len(text) - PASSAGE + 1, PASSAGE)]
values = [sum(bits(p, at) for at in range(MOST, PASSAGE)) / (PASSAGE - MOST) for p in passages]
print(json.dumps({"bits": sum(values) / len(values), "values": values}))
