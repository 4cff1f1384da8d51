"""The GPT of this crate written a second time, from the formulas, in plain PyTorch and 64-bit numbers.

    python reference.py write ../tests/data     writes the vectors that the crate's tests reproduce
    python reference.py read model.safetensors   reads a checkpoint of the crate; prints its parameters and a loss

The vectors are made once and kept in the repository: tests need no Python. Each case is a safetensors file of weights
under the names documented at `GptModel`, and its entry in `gpt.json`: recipe (what differs from the default), tokens,
targets, loss, and for each parameter its gradient's norm, its sum weighted by cos(position), and some entries.

Needs torch, numpy and safetensors.
"""

import json
import math
import sys
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

# The fields of a recipe that say what the model computes, and what they are unless said.
DEFAULTS = dict(
    vocab=256, depth=2, heads=2, kv_heads=0, head_dim=32, mlp_ratio=4.0, activation="gelu", norm="layer",
    norm_place="before", position="learned", rope_base=10_000.0, qk_norm=False, qk_gain=1.0, learned_qk_gain=False,
    window_pattern="L", window=0.5, shift_kv=False, value_embeddings=False, bigrams=0, residual_scalars=False,
    x0_scalars=False, tied_embeddings=True, logit_softcap=0.0, context=64,
)  # fmt: skip


class Recipe:
    def __init__(self, fields):
        self.__dict__.update(DEFAULTS)
        self.__dict__.update({key: value for key, value in fields.items() if key in DEFAULTS})
        self.kv_heads = self.kv_heads or self.heads
        self.width = self.heads * self.head_dim
        ratio = self.mlp_ratio * (2 / 3 if self.activation == "swiglu" else 1)
        self.hidden = 8 * max(1, math.floor(ratio * self.width / 8 + 0.5))

    def window_of(self, block):
        """How many tokens a place of this block sees, itself included."""
        pattern = self.window_pattern
        if block == self.depth - 1 or pattern[block % len(pattern)] == "L":
            return self.context
        return max(1, math.floor(self.window * self.context + 0.5))

    def has_value_embedding(self, block):
        return self.value_embeddings and (self.depth - 1 - block) % 2 == 0


def shapes(r):
    """Names and shapes of all parameters."""
    w, h, k = r.width, r.hidden, r.kv_heads * r.head_dim
    yield "embedding", (r.vocab, w)
    if r.position == "learned":
        yield "places", (r.context, w)
    if r.bigrams:
        yield "bigrams", (r.bigrams, w)
    for i in range(r.depth):
        for half in ("attention", "mlp"):
            if r.norm_place in ("before", "both"):
                yield f"block.{i}.{half}_norm", (w,)
            if r.norm_place in ("after", "both"):
                yield f"block.{i}.{half}_out_norm", (w,)
        yield f"block.{i}.query", (w, w)
        yield f"block.{i}.key", (k, w)
        yield f"block.{i}.value", (k, w)
        yield f"block.{i}.attention_out", (w, w)
        yield f"block.{i}.up", (h, w)
        if r.activation == "swiglu":
            yield f"block.{i}.gate", (h, w)
        yield f"block.{i}.down", (w, h)
        if r.learned_qk_gain:
            yield f"block.{i}.query_gain", (r.heads,)
        if r.has_value_embedding(i):
            yield f"block.{i}.value_embedding", (r.vocab, k)
            yield f"block.{i}.value_gate", (r.kv_heads, min(32, w))
        if r.residual_scalars:
            yield f"block.{i}.residual_scalar", (1,)
        if r.x0_scalars:
            yield f"block.{i}.x0_scalar", (1,)
    yield "norm", (w,)
    if not r.tied_embeddings:
        yield "head", (r.vocab, w)


EPSILON = 1e-5


def normalise(r, x, gain):
    if r.norm == "layer":
        x = x - x.mean(-1, keepdim=True)
    return gain * x / (x.pow(2).mean(-1, keepdim=True) + EPSILON).sqrt()


def unit_rms(x):
    return x / (x.pow(2).mean(-1, keepdim=True) + EPSILON).sqrt()


def bigram_bucket(r, before, token):
    pair = (before + 1) * r.vocab + token
    return ((pair * 2_654_435_761) % 2**32) * r.bigrams // 2**32


def rotate(r, x):
    """Pairs (2i, 2i + 1) of [length, head_dim] turned by place * base^(-2i / head_dim)."""
    out = torch.empty_like(x)
    for place in range(x.shape[0]):
        for i in range(r.head_dim // 2):
            angle = place * r.rope_base ** (-2 * i / r.head_dim)
            cos, sin = math.cos(angle), math.sin(angle)
            a, b = x[place, 2 * i], x[place, 2 * i + 1]
            out[place, 2 * i] = a * cos - b * sin
            out[place, 2 * i + 1] = a * sin + b * cos
    return out


def shift(x):
    """The last half of each vector of [length, head_dim] from the place before."""
    half = x.shape[1] // 2
    rows = [torch.cat([x[t, :half], x[max(t - 1, 0), half:]]) for t in range(x.shape[0])]
    return torch.stack(rows)


def attention(r, p, block, x, tokens):
    """One sequence: x is [length, width]."""
    name = f"block.{block}."
    length, d = x.shape[0], r.head_dim
    query, key, value = (x @ p[name + part].T for part in ("query", "key", "value"))
    heads = []
    for head in range(r.heads):
        shared = head * r.kv_heads // r.heads
        mine, theirs = slice(head * d, (head + 1) * d), slice(shared * d, (shared + 1) * d)
        q, k, v = query[:, mine], key[:, theirs], value[:, theirs]
        if r.shift_kv:
            k, v = shift(k), shift(v)
        if r.has_value_embedding(block):
            gates = p[name + "value_gate"]
            gate = 2 / (1 + torch.exp(-(x[:, : gates.shape[1]] @ gates[shared])))
            v = v + gate[:, None] * p[name + "value_embedding"][tokens][:, theirs]
        if r.qk_norm:
            q, k = unit_rms(q), unit_rms(k)
        if r.position == "rope":
            q, k = rotate(r, q), rotate(r, k)
        gain = p[name + "query_gain"][head] if r.learned_qk_gain else r.qk_gain
        scores = gain * (q @ k.T) / math.sqrt(d)
        for t in range(length):
            first = max(0, t - r.window_of(block) + 1)
            weights = scores[t, first : t + 1].exp()
            row = (weights / weights.sum()) @ v[first : t + 1]
            heads.append(row)
    mixed = torch.stack(heads).view(r.heads, length, d).transpose(0, 1).reshape(length, r.width)
    return mixed @ p[name + "attention_out"].T


def feed_forward(r, p, block, x):
    name = f"block.{block}."
    up = x @ p[name + "up"].T
    if r.activation == "gelu":
        hidden = up * 0.5 * (1 + torch.erf(up / math.sqrt(2)))
    elif r.activation == "relu2":
        hidden = torch.where(up > 0, up * up, 0.0)
    else:
        gate = x @ p[name + "gate"].T
        hidden = gate / (1 + torch.exp(-gate)) * up
    return hidden @ p[name + "down"].T


def half(r, p, name, x, inner):
    given = inner(normalise(r, x, p[name + "_norm"]) if r.norm_place != "after" else x)
    return x + (normalise(r, given, p[name + "_out_norm"]) if r.norm_place != "before" else given)


def logits(r, p, tokens):
    """Of one sequence."""
    x = p["embedding"][tokens]
    if r.position == "learned":
        x = x + p["places"][: len(tokens)]
    if r.bigrams:
        buckets = [bigram_bucket(r, before, token) for before, token in zip([-1] + tokens, tokens)]
        x = x + p["bigrams"][buckets]
    x0 = x
    for block in range(r.depth):
        if r.residual_scalars:
            x = p[f"block.{block}.residual_scalar"] * x
        if r.x0_scalars:
            x = x + p[f"block.{block}.x0_scalar"] * x0
        x = half(r, p, f"block.{block}.attention", x, lambda y: attention(r, p, block, y, tokens))
        x = half(r, p, f"block.{block}.mlp", x, lambda y: feed_forward(r, p, block, y))
    out = normalise(r, x, p["norm"]) @ p["embedding" if r.tied_embeddings else "head"].T
    if r.logit_softcap:
        out = r.logit_softcap * torch.tanh(out / r.logit_softcap)
    return out


def mean_loss(r, p, tokens, targets):
    nats = []
    for sequence, wanted in zip(tokens, targets):
        out = logits(r, p, sequence)
        nats += [out[t].exp().sum().log() - out[t, target] for t, target in enumerate(wanted)]
    return sum(nats) / len(nats)


# Small, and together with every field at work.
SMALL = dict(heads=2, head_dim=8, mlp_ratio=1.0, context=10)
CASES = {
    "plain": SMALL | dict(depth=2),
    "modern": SMALL | dict(
        depth=3, kv_heads=1, activation="relu2", norm="rms", norm_place="both", position="rope", rope_base=100.0,
        qk_norm=True, qk_gain=1.5, learned_qk_gain=True, window_pattern="SL", window=0.3, shift_kv=True,
        value_embeddings=True, bigrams=64, residual_scalars=True, x0_scalars=True, tied_embeddings=False,
        logit_softcap=5.0,
    ),
    "gated": SMALL | dict(
        depth=1, heads=4, kv_heads=2, activation="swiglu", norm="rms", norm_place="after", position="unknown",
        qk_gain=2.0,
    ),
}  # fmt: skip


def weights_of(name, r, generator):
    last = name.split(".")[-1]
    x = torch.randn(shapes_of(r)[name], generator=generator)
    if last.endswith("norm") or last in ("query_gain", "residual_scalar"):
        return 1 + 0.3 * x
    return 0.4 * x


def shapes_of(r):
    return dict(shapes(r))


def write(folder):
    described = {}
    for index, (case, fields) in enumerate(CASES.items()):
        r = Recipe(fields)
        generator = torch.Generator().manual_seed(index)
        stored = {name: weights_of(name, r, generator) for name in shapes_of(r)}
        save_file(stored, folder / f"gpt_{case}.safetensors")
        p = {name: x.double().requires_grad_() for name, x in stored.items()}
        drawn = torch.randint(0, r.vocab, (2, r.context + 1), generator=generator)
        # Some tokens twice, so that pairs and rows are met more than once.
        drawn[1, :4] = drawn[0, 2:6]
        tokens, targets = drawn[:, :-1].tolist(), drawn[:, 1:].tolist()
        loss = mean_loss(r, p, tokens, targets)
        loss.backward()
        loss = loss.item()
        gradients = {}
        for name, x in p.items():
            flat = x.grad.flatten()
            # The largest entry and some at even distances.
            at = [int(flat.abs().argmax())] + list(range(0, len(flat), max(1, len(flat) // 5)))
            gradients[name] = dict(
                norm=float(flat.norm()),
                dot=float((flat * torch.arange(len(flat), dtype=torch.float64).cos()).sum()),
                entries=[[i, float(flat[i])] for i in at],
            )
        described[case] = dict(recipe=fields, tokens=tokens, targets=targets, loss=loss, gradients=gradients)
        print(f"{case}: loss {loss:.6f}, {sum(x.numel() for x in p.values())} weights")
    (folder / "gpt.json").write_text(json.dumps(described, separators=(",", ":")) + "\n")


def read(path):
    with safe_open(path, framework="pt") as file:
        r = Recipe(json.loads(file.metadata()["candidate"]))
        # What the symbols mean is no part of the model.
        names = [name for name in file.keys() if not name.startswith("vocabulary.")]
        p = {name: file.get_tensor(name).double() for name in names}
    wanted = shapes_of(r)
    assert {name: tuple(x.shape) for name, x in p.items()} == wanted, "not the documented names and shapes"
    for name, x in p.items():
        print(f"{name:32} {str(tuple(x.shape)):14} rms {x.pow(2).mean().sqrt():.4f}")
    if r.vocab != 256:
        return
    text = b"To be, or not to be: that is the question. Whether 'tis nobler in the mind"[: r.context + 1]
    tokens = list(text)
    print(f"loss on {text!r}: {mean_loss(r, p, [tokens[:-1]], [tokens[1:]]).item():.5f} nats a byte")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("write", "read"):
        sys.exit(__doc__)
    torch.set_num_threads(1)
    write(Path(sys.argv[2])) if sys.argv[1] == "write" else read(sys.argv[2])
