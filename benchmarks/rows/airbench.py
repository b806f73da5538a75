"""airbench94's network and recipe on PyTorch, reimplemented for the CPU.

The network (a frozen whitening layer, three groups of two convolutions, batch normalisation without
scale, pooling before normalisation, a scaled head) and all numbers are those of
KellerJordan/cifar10-airbench: `--variant muon` those of airbench94_muon.py (8 epochs, batches of
2,000), `--variant sgd` those of legacy/airbench94.py (9.9 epochs, batches of 1,024, lookahead).
For the CPU: bfloat16 autocast and channels-last memory, as the PyTorch docs recommend, and float32
weights. `--widths` and `--activation` define the narrow network for comparing throughput.
Source: K. Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", arXiv:2404.00498.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from typing import Any

import cifar10
import numpy as np
import torch
from recorder import Recorder, arguments
from torch import nn
from torch.nn import functional

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)  # per channel, 0 to 1
SHIFT = 2  # pixels, in each direction
SMOOTHING = 0.2
WHITENING_BIAS_EPOCHS = 3  # then it is frozen


def main() -> None:
    options = _options()
    recorder = Recorder(options)
    torch.manual_seed(options.seed)
    data = cifar10.load(options.archive, options.images)
    net = Network(options.widths, options.activation, options.variant)
    net.whiten(normalized(torch.from_numpy(data.train_images[:5000])))
    net = net.to(memory_format=torch.channels_last)
    forward = torch.compile(net) if options.compile else net

    def predict(images: np.ndarray) -> np.ndarray:
        net.eval()
        with torch.no_grad(), autocast():
            parts = torch.from_numpy(np.ascontiguousarray(images)).split(1000)
            rows = [forward(normalized(part)) for part in parts]
        net.train()
        return torch.cat(rows).float().numpy()

    def look() -> None:
        with recorder.evaluating():
            accuracy = (predict(data.test_images).argmax(axis=1) == data.test_labels).mean()
        recorder.point(accuracy)

    count = len(data.train_labels)
    steps_per_epoch = max(1, count // options.batch_size)  # an incomplete last batch is dropped
    total = math.ceil(options.epochs * steps_per_epoch)
    make = muon_recipe if options.variant == "muon" else sgd_recipe
    update = make(net, options.batch_size, total, WHITENING_BIAS_EPOCHS * steps_per_epoch)
    batches = endless(data.train_images, data.train_labels, options.batch_size)
    for step in range(total):
        inputs, targets = next(batches)
        with autocast():
            outputs = forward(inputs)
        loss = functional.cross_entropy(
            outputs.float(), targets, label_smoothing=SMOOTHING, reduction="sum"
        )
        loss.backward()
        update(step)
        net.zero_grad(set_to_none=True)
        recorder.step()
        if (step + 1) % steps_per_epoch == 0 or step + 1 == total:
            look()
    recorder.finish(
        images=(total - 1) * options.batch_size,
        test_accuracy_averaged=averaged(predict, data),
        parameters=sum(weight.numel() for weight in net.parameters()),
    )


def _options() -> argparse.Namespace:
    parser = arguments(__doc__)
    parser.add_argument("--variant", choices=("muon", "sgd"), default="muon")
    parser.add_argument("--epochs", type=float, help="default: that of the variant")
    parser.add_argument("--batch-size", type=int, help="default: that of the variant")
    parser.add_argument("--widths", type=int, nargs=3, default=[64, 256, 256])
    parser.add_argument("--activation", choices=("gelu", "relu"), default="gelu")
    parser.add_argument("--compile", action="store_true", help="with torch.compile (needs g++)")
    options = parser.parse_args()
    muon = options.variant == "muon"
    options.epochs = options.epochs or (8 if muon else 9.9)
    options.batch_size = options.batch_size or (2000 if muon else 1024)
    return options


def autocast() -> Any:
    return torch.autocast("cpu", dtype=torch.bfloat16)


def normalized(images: torch.Tensor) -> torch.Tensor:
    """(N, 32, 32, 3) uint8 → (N, 3, 32, 32) float32 in channels-last memory."""
    mean, std = 255 * torch.tensor(MEAN), 255 * torch.tensor(STD)
    return ((images - mean) / std).permute(0, 3, 1, 2)


def averaged(predict: Callable[[np.ndarray], np.ndarray], data: cifar10.Images) -> float:
    from views import averaged_accuracy

    return averaged_accuracy(predict, data.test_images, data.test_labels)


def endless(
    images: np.ndarray, labels: np.ndarray, size: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches of shifted images; each image is mirrored in every other epoch."""
    count, side = images.shape[:2]
    size = min(size, count)
    edges = (SHIFT, SHIFT)
    padded = torch.from_numpy(np.pad(images, ((0, 0), edges, edges, (0, 0)), mode="reflect"))
    targets = torch.from_numpy(labels.astype(np.int64))
    mirrored = torch.rand(count) < 0.5
    window = torch.arange(side)
    while True:
        order = torch.randperm(count)
        for start in range(0, count - size + 1, size):
            chosen = order[start : start + size]
            corners = torch.randint(0, 2 * SHIFT + 1, (2, size, 1))
            rows, columns = corners[0] + window, corners[1] + window
            columns = torch.where(mirrored[chosen, None], columns.flip(1), columns)
            batch = padded[chosen[:, None, None], rows[:, :, None], columns[:, None, :]]
            yield normalized(batch), targets[chosen]
        mirrored = ~mirrored


class Network(nn.Module):
    """Whitening, three groups of convolutions, a scaled linear head."""

    def __init__(self, widths: list[int], activation: str, variant: str = "muon") -> None:
        super().__init__()
        self.activation = functional.gelu if activation == "gelu" else functional.relu
        self.whitening = nn.Conv2d(3, 24, 2)
        self.whitening.weight.requires_grad = False
        self.groups = nn.ModuleList(
            Group(before, after, self.activation)
            for before, after in zip([24, *widths], widths, strict=False)
        )
        self.head = nn.Linear(widths[-1], 10, bias=False)
        self.divisor = 9 if variant == "sgd" else widths[-1]
        if variant == "muon":
            self.head.weight.data /= self.head.weight.data.std()

    def whiten(self, images: torch.Tensor) -> None:
        """Sets the first layer: the eigenvectors of 2×2 patches, scaled to unit variance."""
        patches = functional.unfold(images, 2).transpose(1, 2).reshape(-1, 12)
        values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
        filters = (vectors / torch.sqrt(values + 5e-4)).T.reshape(12, 3, 2, 2)
        self.whitening.weight.data = torch.cat([filters, -filters])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 3, 32, 32) → (N, 10), before the softmax."""
        features = self.activation(self.whitening(images))
        for group in self.groups:
            features = group(features)
        features = functional.max_pool2d(features, 3).flatten(1)
        return self.head(features) / self.divisor


class Group(nn.Module):
    """Convolution, pooling, normalisation; convolution, normalisation."""

    def __init__(self, before: int, after: int, activation: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.activation = activation
        self.convolutions = nn.ModuleList([_convolution(before, after), _convolution(after, after)])
        # PyTorch's momentum is the weight of the new batch, 1 − 0.6.
        self.norms = nn.ModuleList(nn.BatchNorm2d(after, 1e-12, 1 - 0.6) for _ in range(2))
        for norm in self.norms:
            norm.weight.requires_grad = False

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(N, before, side, side) → (N, after, side / 2, side / 2)."""
        pooled = functional.max_pool2d(self.convolutions[0](features), 2)
        features = self.activation(self.norms[0](pooled))
        return self.activation(self.norms[1](self.convolutions[1](features)))


def _convolution(before: int, after: int) -> nn.Conv2d:
    """3×3 without bias; its first filters are the identity."""
    layer = nn.Conv2d(before, after, 3, padding="same", bias=False)
    nn.init.dirac_(layer.weight.data[:before])
    return layer


def muon_recipe(
    net: Network, batch_size: int, total: int, bias_steps: int
) -> Callable[[int], None]:
    """Orthogonalised updates for filters, Nesterov SGD for the rest; all rates decay to 0."""
    bias_rate, head_rate, filter_rate = 0.053, 0.67, 0.24
    decay = 2e-6 * batch_size
    sgd = torch.optim.SGD(
        [
            _group([net.whitening.bias], bias_rate, decay),
            _group(_norm_biases(net), bias_rate, decay),
            _group([net.head.weight], head_rate, decay),
        ],
        momentum=0.85,
        nesterov=True,
    )
    filters = [layer.weight for group in net.groups for layer in group.convolutions]
    buffers = [torch.zeros_like(weight) for weight in filters]

    @torch.no_grad()
    def update(step: int) -> None:
        left = 1 - step / total
        for group, share in zip(
            sgd.param_groups, (max(0.0, 1 - step / bias_steps), left, left), strict=True
        ):
            group["lr"] = group["base"] * share
        if step >= bias_steps:
            net.whitening.bias.grad = None
        sgd.step()
        for weight, buffer in zip(filters, buffers, strict=True):
            buffer.mul_(0.6).add_(weight.grad)
            direction = weight.grad + 0.6 * buffer
            weight.mul_(math.sqrt(len(weight)) / weight.norm())
            flat = orthogonalized(direction.flatten(1))
            weight.sub_(filter_rate * left * flat.view_as(weight))

    return update


def orthogonalized(matrix: torch.Tensor) -> torch.Tensor:
    """Roughly the nearest matrix with equal singular values: three Newton–Schulz steps."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix).bfloat16()
    x = x / (x.norm() + 1e-7)
    for _ in range(3):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return (x.T if tall else x).float()


def sgd_recipe(net: Network, batch_size: int, total: int, bias_steps: int) -> Callable[[int], None]:
    """Nesterov SGD with a triangular schedule; every fifth step weights move to their average."""
    scale = 1024 * (1 + 1 / (1 - 0.85))  # published without the momentum factor
    rate, decay = 11.5 / scale, 0.0153 * batch_size / scale
    norms = _norm_biases(net)
    known = set(map(id, norms))
    others = [w for w in net.parameters() if w.requires_grad and id(w) not in known]
    sgd = torch.optim.SGD(
        [_group(norms, 64 * rate, decay), _group(others, rate, decay)],
        momentum=0.85,
        nesterov=True,
    )
    # Lookahead also averages the statistics of batch normalisation.
    state = [value for value in net.state_dict().values() if value.is_floating_point()]
    average = [value.clone() for value in state]
    warm = int(0.23 * total)

    @torch.no_grad()
    def update(step: int) -> None:
        up = step / max(1, warm)
        down = (step - warm) / max(1, total - warm)
        factor = 0.2 + 0.8 * up if step < warm else 1 - 0.93 * down
        for group in sgd.param_groups:
            group["lr"] = group["base"] * factor
        if step >= bias_steps:
            net.whitening.bias.grad = None
        sgd.step()
        done = step + 1
        if done % 5 == 0 or done == total:
            keep = 1.0 if done == total else 0.95**5 * (done / total) ** 3
            for slow, fast in zip(average, state, strict=True):
                slow.lerp_(fast, 1 - keep)
                fast.copy_(slow)

    return update


def _group(weights: list[Any], rate: float, decay: float) -> dict[str, Any]:
    """The published weight decay does not include the learning rate, PyTorch's does."""
    return {"params": weights, "lr": rate, "base": rate, "weight_decay": decay / rate}


def _norm_biases(net: Network) -> list[Any]:
    return [norm.bias for group in net.groups for norm in group.norms]


if __name__ == "__main__":
    main()
