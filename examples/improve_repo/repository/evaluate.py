"""python3 evaluate.py ARTIFACTS TEXT: bits a letter of the model in ARTIFACTS, as a line of JSON, passage by passage.

It reads a table of numbers and runs nothing that a run has left.
"""

import json
import math
import sys

from prepare import LETTERS, read

PASSAGE = 400
MOST = 4

with open(f"{sys.argv[1]}/model.json") as file:
    tables = json.load(file)["tables"]
size = len(LETTERS)
if not 1 <= len(tables) <= MOST or any(len(table) != size or any(len(row) != size for row in table) for table in tables):
    sys.exit(f"a model has 1 to {MOST} tables of {size} × {size} numbers")


def bits(text, at):
    columns = zip(*(table[text[at - 1 - back]] for back, table in enumerate(tables)))
    scores = [sum(column) for column in columns]
    top = max(scores)
    total = sum(math.exp(score - top) for score in scores)
    return (top + math.log(total) - scores[text[at]]) / math.log(2)


text = read(sys.argv[2])
passages = [text[start : start + PASSAGE] for start in range(0, len(text) - PASSAGE + 1, PASSAGE)]
values = [sum(bits(p, at) for at in range(MOST, PASSAGE)) / (PASSAGE - MOST) for p in passages]
print(json.dumps({"bits": sum(values) / len(values), "values": values}))
