"""How fast PyTorch trains the crate's default kind of GPT, eagerly and on one thread: what the crate is compared with.

    python speed.py --precision bf16 --seconds 20

Prints one JSON object: tokens_per_s (median over the steps after the warm-up), step_ms, cpu_ms (processor time a step,
which other programs disturb less than the clock's), peak_memory_gb, and so on.
The model is the default recipe's: LayerNorm without bias, GELU, learned places, tied embeddings, AdamW, clipping at 1.

Precision plans:
  f32       32 bits throughout
  bf16      linear layers in bfloat16, attention, normalisation and loss in 32 bits: the crate's `bf16`
  autocast  torch.autocast in bfloat16, as it comes

Needs torch.
"""

import argparse
import json
import resource
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F


class Linear(nn.Linear):
    """A layer without bias that multiplies in bfloat16 where the plan says so."""

    def __init__(self, inputs, outputs, lower):
        super().__init__(inputs, outputs, bias=False)
        self.lower = lower

    def forward(self, x):
        if self.lower:
            return F.linear(x.bfloat16(), self.weight.bfloat16())
        return F.linear(x, self.weight)


class Block(nn.Module):
    def __init__(self, a, lower):
        super().__init__()
        width = a.heads * a.head_dim
        self.heads, self.lower = a.heads, lower
        self.norm1, self.norm2 = nn.LayerNorm(width, bias=False), nn.LayerNorm(width, bias=False)
        self.qkv, self.out = Linear(width, 3 * width, lower), Linear(width, width, lower)
        self.up, self.down = Linear(width, 4 * width, lower), Linear(4 * width, width, lower)

    def forward(self, x):
        batch, length, width = x.shape
        qkv = self.qkv(self.norm1(x))
        qkv = qkv.float() if self.lower else qkv
        q, k, v = (y.view(batch, length, self.heads, -1).transpose(1, 2) for y in qkv.split(width, dim=2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(batch, length, width))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Gpt(nn.Module):
    def __init__(self, a, lower):
        super().__init__()
        width = a.heads * a.head_dim
        self.embedding, self.places = nn.Embedding(a.vocab, width), nn.Embedding(a.context, width)
        self.blocks = nn.ModuleList(Block(a, lower) for _ in range(a.depth))
        self.norm, self.head = nn.LayerNorm(width, bias=False), Linear(width, a.vocab, lower)
        self.head.weight = self.embedding.weight
        for name, p in self.named_parameters():
            if p.dim() > 1:
                residual = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(p, std=0.02 / (2 * a.depth) ** 0.5 if residual else 0.02)

    def forward(self, tokens, targets):
        x = self.embedding(tokens) + self.places.weight[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        logits = self.head(self.norm(x)).float()
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.reshape(-1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", choices=["f32", "bf16", "autocast"], default="f32")
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--head-dim", type=int, default=32)
    parser.add_argument("--context", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--vocab", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=20.0, help="time to train, after the warm-up")
    parser.add_argument("--steps", type=int, help="steps to train instead")
    parser.add_argument("--warmup", type=int, default=3, help="steps before the clock starts")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--text", help="a file to train on; random bytes without it, which are as fast")
    a = parser.parse_args()

    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    if a.text:
        text = torch.frombuffer(bytearray(open(a.text, "rb").read()), dtype=torch.uint8).long()
    else:
        text = torch.randint(0, a.vocab, (1_000_000,))
    on_card = a.device.startswith("cuda")
    wait = torch.cuda.synchronize if on_card else lambda: None
    model = Gpt(a, a.precision == "bf16").to(a.device)
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    groups = [dict(params=matrices, weight_decay=0.1), dict(params=vectors, weight_decay=0.0)]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95))

    def step():
        at = torch.randint(0, len(text) - a.context, (a.batch, 1)) + torch.arange(a.context + 1)
        window = text[at].to(a.device)
        with torch.autocast(a.device, torch.bfloat16, enabled=a.precision == "autocast"):
            loss = model(window[:, :-1], window[:, 1:])
        if not on_card:
            value = loss.item()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        # On a card reading it waits for the device, which by now has the whole step to do.
        return loss.item() if on_card else value

    for _ in range(a.warmup):
        step()
    wait()
    start, cpu, times, loss = time.perf_counter(), time.process_time(), [], float("nan")
    while len(times) < a.steps if a.steps else time.perf_counter() - start < a.seconds:
        before = time.perf_counter()
        loss = step()
        wait()
        times.append(time.perf_counter() - before)
    cpu = time.process_time() - cpu
    tokens = a.batch * a.context
    print(json.dumps(dict(
        precision=a.precision,
        tokens_per_s=tokens / statistics.median(times),
        step_ms=1e3 * statistics.median(times),
        cpu_ms=1e3 * cpu / len(times),
        steps=len(times),
        seconds=sum(times),
        last_loss=loss,
        peak_memory_gb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
        device_memory_gb=torch.cuda.max_memory_allocated() / 1e9 if on_card else None,
        parameters=sum(p.numel() for p in model.parameters()),
        torch=torch.__version__,
        threads=torch.get_num_threads(),
    )))  # fmt: skip


if __name__ == "__main__":
    main()
