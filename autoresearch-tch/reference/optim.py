"""Writes tests/data/optim.json: three steps of each optimiser on small parameters, by PyTorch.

    python reference/optim.py [FILE]

AdamW is torch.optim.AdamW; Muon with Newton-Schulz steps is torch.optim.Muon, made to compute in 32 bits, where it
normally goes through bfloat16. What neither has (cautious decay, Polar Express, even rows) is written out here from
the papers, and is checked against torch's own where they agree. Needs PyTorch 2.9 or later; numbers differ by rounding
between versions.
"""

import json
import math
import sys
from pathlib import Path

import torch
from torch import Tensor

SHAPES = {"wide": [4, 6], "tall": [8, 3], "square": [5, 5], "again": [4, 6], "vector": [7]}
RATES = [1.0, 0.5, 0.25]  # what the schedule multiplies the learning rate by, step by step

# Amsel, Persson, Musco, Gower: The Polar Express (2025), algorithm 1.
POLAR_EXPRESS = [
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
    (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
    (1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
    (1.875, -1.25, 0.375),
]
SAFETY = 1.01
SAFE = [(a / SAFETY, b / SAFETY**3, c / SAFETY**5) for a, b, c in POLAR_EXPRESS[:-1]] + [POLAR_EXPRESS[-1]]
JORDAN = (3.4445, -4.7750, 2.0315)  # Jordan (2024)


def orthogonal(matrix: Tensor, kind: str, steps: int) -> Tensor:
    """Polynomials a x + b x^3 + c x^5 of the singular values, written with the matrices themselves."""
    polar = kind == "polar_express"
    x = matrix / (matrix.norm() * (SAFETY if polar else 1.0) + 1e-7)
    for step in range(steps):
        a, b, c = SAFE[min(step, 7)] if polar else JORDAN
        cube = x @ x.mT @ x
        x = a * x + b * cube + c * (x @ x.mT @ cube)
    return x


def decay(weights: Tensor, downhill: Tensor, share: float, cautious: bool) -> Tensor:
    """What decay takes off. Cautious: Chen et al., Cautious Weight Decay (2025)."""
    return share * weights * ((weights * downhill >= 0) if cautious else 1.0)


class AdamW:
    """Loshchilov and Hutter (2019), algorithm 2, with cautious decay; vectors do not decay."""

    def __init__(self, lr, betas, eps, weight_decay, cautious):
        self.lr, self.betas, self.eps = lr, betas, eps
        self.weight_decay, self.cautious, self.state, self.t = weight_decay, cautious, {}, 0

    def step(self, weights: dict, gradients: dict, rate: float):
        self.t += 1
        first, second = self.betas
        for name, w in weights.items():
            g = gradients[name]
            m, v = self.state.get(name, (torch.zeros_like(w), torch.zeros_like(w)))
            m = first * m + (1 - first) * g
            v = second * v + (1 - second) * g * g
            self.state[name] = (m, v)
            step = m / (1 - first**self.t) / ((v / (1 - second**self.t)).sqrt() + self.eps)
            lr = rate * self.lr
            lost = decay(w, step, lr * self.weight_decay, self.cautious) if w.dim() > 1 else 0.0
            weights[name] = w - lost - lr * step


class Muon:
    """Jordan (2024), with NorMuon's even rows (Li et al., 2025), scaled so that the step keeps its norm."""

    def __init__(self, lr, momentum, nesterov, orthogonal, steps, weight_decay, cautious, beta2):
        self.lr, self.momentum, self.nesterov = lr, momentum, nesterov
        self.orthogonal, self.steps, self.beta2 = orthogonal, steps, beta2
        self.weight_decay, self.cautious, self.state, self.rows = weight_decay, cautious, {}, {}

    def step(self, weights: dict, gradients: dict, rate: float):
        for name, w in weights.items():
            g = gradients[name]
            m = self.momentum * self.state.get(name, torch.zeros_like(w)) + (1 - self.momentum) * g
            self.state[name] = m
            ahead = (1 - self.momentum) * g + self.momentum * m if self.nesterov else m
            step = orthogonal(ahead, self.orthogonal, self.steps)
            if self.beta2 is not None:
                square = (step**2).mean(dim=1, keepdim=True)
                v = self.beta2 * self.rows.get(name, torch.zeros_like(square)) + (1 - self.beta2) * square
                self.rows[name] = v
                even = step / (v.sqrt() + 1e-8)
                step = even * step.norm() / even.norm()
            lr = rate * self.lr
            lost = decay(w, step, lr * self.weight_decay, self.cautious)
            weights[name] = w - lost - lr * math.sqrt(max(1, w.shape[0] / w.shape[1])) * step


class Torch:
    """An optimiser of torch's own under the same interface."""

    def __init__(self, make, lr):
        self.make, self.lr, self.inner = make, lr, None

    def step(self, weights: dict, gradients: dict, rate: float):
        if self.inner is None:
            self.inner = self.make(weights)
        for group in self.inner.param_groups:
            group["lr"] = rate * self.lr
        for name, w in weights.items():
            w.grad = gradients[name].clone()
        self.inner.step()


def torch_adamw(lr, betas, eps, weight_decay):
    def make(weights):
        groups = [
            {"params": [w for w in weights.values() if w.dim() > 1], "weight_decay": weight_decay},
            {"params": [w for w in weights.values() if w.dim() == 1], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW([g for g in groups if g["params"]], lr=lr, betas=betas, eps=eps)

    return Torch(make, lr)


def torch_muon(lr, momentum, nesterov, steps, weight_decay):
    def make(weights):
        return torch.optim.Muon(
            list(weights.values()),
            lr=lr,
            momentum=momentum,
            nesterov=nesterov,
            ns_steps=steps,
            weight_decay=weight_decay,
            adjust_lr_fn="original",
        )

    return Torch(make, lr)


def trajectory(optimizer, start: dict, gradients: list) -> list:
    """The weights after each step."""
    weights = {name: w.clone() for name, w in start.items()}
    after = []
    for rate, gradient in zip(RATES, gradients):
        optimizer.step(weights, {name: gradient[name] for name in weights}, rate)
        after.append({name: w.clone() for name, w in weights.items()})
    return after


def distance(a: list, b: list) -> float:
    return max((x[n].double() - y[n].double()).abs().max().item() for x, y in zip(a, b) for n in x)


def main():
    torch.manual_seed(20260101)
    torch.Tensor.bfloat16 = torch.Tensor.clone  # torch.optim.Muon rounds to bfloat16; not here
    start = {name: 0.5 * torch.randn(shape) for name, shape in SHAPES.items()}
    gradients = [{name: torch.randn(shape) for name, shape in SHAPES.items()} for _ in RATES]
    matrices = {name: w for name, w in start.items() if w.dim() == 2}

    adamw = dict(lr=0.03, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.5)
    muon = dict(lr=0.05, momentum=0.9, nesterov=True, steps=5, weight_decay=0.5)
    newton = dict(orthogonal="newton_schulz", cautious=False, beta2=None)
    cases = [
        ("adamw", adamw, start, torch_adamw(**adamw), AdamW(**adamw, cautious=False)),
        ("adamw", adamw | dict(cautious=True), start, AdamW(**adamw, cautious=True), None),
        ("muon", muon | newton, matrices, torch_muon(**muon), Muon(**muon, **newton)),
    ]
    plain = muon | dict(nesterov=False)
    cases.append(("muon", plain | newton, matrices, torch_muon(**plain), Muon(**plain, **newton)))
    for edit in [
        dict(orthogonal="polar_express"),
        dict(orthogonal="polar_express", steps=9),
        dict(beta2=0.9),
        dict(cautious=True),
        dict(orthogonal="polar_express", beta2=0.9, cautious=True, nesterov=False, steps=4),
    ]:
        settings = muon | newton | edit
        cases.append(("muon", settings, matrices, Muon(**settings), None))

    written = []
    for kind, settings, weights, optimizer, own in cases:
        after = trajectory(optimizer, weights, gradients)
        if own is not None:
            gap = distance(after, trajectory(own, weights, gradients))
            assert gap < 2e-6, f"torch's {kind} and the formulas are {gap} apart"
        flat = [{name: w.flatten().tolist() for name, w in step.items()} for step in after]
        written.append({"optimizer": kind, "settings": settings, "after": flat})
    flat = lambda tensors: {name: w.flatten().tolist() for name, w in tensors.items()}
    out = {
        "torch": torch.__version__,
        "shapes": SHAPES,
        "rates": RATES,
        "start": flat(start),
        "gradients": [flat(step) for step in gradients],
        "cases": written,
    }
    rounded = json.loads(json.dumps(out), parse_float=lambda x: float(f"{float(x):.9g}"))
    default = Path(__file__).parent.parent / "tests" / "data" / "optim.json"
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    path.write_text(json.dumps(rounded) + "\n")
    print(f"{path}: {len(written)} cases, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
