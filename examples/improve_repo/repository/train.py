"""Learns to guess the next letter from the letters before it, and leaves the model as model.json."""

import json
import math
import os
import random

from prepare import LETTERS, read

CONTEXT = 1  # letters that are looked back at, 4 at most
STEPS = 4000  # letters that are learned from: fixed, they are what a run costs
RATE = 0.05
DECAY = False  # whether the rate falls to nothing at the end
SCALE = 0.5  # of the initial weights

random.seed(int(os.environ.get("AUTORESEARCH_SEED", "0")))
text = read("train.txt")
size = len(LETTERS)
# The score of the next letter is a sum over the letters before it: one table for each place.
tables = [[[random.gauss(0, SCALE) for _ in range(size)] for _ in range(size)] for _ in range(CONTEXT)]

for step in range(STEPS):
    at = random.randrange(CONTEXT, len(text))
    rows = [table[text[at - 1 - back]] for back, table in enumerate(tables)]
    scores = [math.exp(sum(column)) for column in zip(*rows)]
    total = sum(scores)
    rate = RATE * (1 - step / STEPS) if DECAY else RATE
    for letter, score in enumerate(scores):
        gradient = score / total - (letter == text[at])
        for row in rows:
            row[letter] -= rate * gradient

with open("model.json", "w") as file:
    json.dump({"tables": tables}, file)
print(f"trained on {STEPS} letters")
