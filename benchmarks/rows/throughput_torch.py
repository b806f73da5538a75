"""airbench94's training step on PyTorch compared with the peak of matrix products.

Like `throughput.py` for a preset: bfloat16 autocast, channels-last memory, the Muon recipe;
`step` on one constant batch, `fit` with new batches, `input` alone.
"""

from __future__ import annotations

from typing import Any

import cifar10
import torch
from rate import MATRIX, measurements, product_gflops, seconds_of
from recorder import Recorder, arguments
from rows.airbench import Network, autocast, endless, muon_recipe, normalized
from torch.nn import functional


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=20, help="per round")
    parser.add_argument("--batch-size", type=int, default=500)
    parser.add_argument("--widths", type=int, nargs=3, default=[64, 256, 256])
    parser.add_argument("--activation", choices=("gelu", "relu"), default="gelu")
    parser.add_argument("--compile", action="store_true", help="with torch.compile (needs g++)")
    options = parser.parse_args()
    recorder = Recorder(options)
    torch.manual_seed(options.seed)
    data = cifar10.load(options.archive, options.images)
    first = normalized(torch.from_numpy(data.train_images[:5000]))
    net = Network(options.widths, options.activation)
    net.whiten(first)
    macs = count_macs(net, first[:1])
    net = net.to(memory_format=torch.channels_last)
    forward = torch.compile(net) if options.compile else net
    update = muon_recipe(net, options.batch_size, 10**9, 10**9)
    batches = endless(data.train_images, data.train_labels, options.batch_size)

    def step(inputs: torch.Tensor, targets: torch.Tensor) -> None:
        with autocast():
            outputs = forward(inputs).float()
        functional.cross_entropy(outputs, targets, label_smoothing=0.2, reduction="sum").backward()
        update(0)
        net.zero_grad(set_to_none=True)

    constant = next(batches)
    step(*constant)
    timed = {
        "step": lambda: step(*constant),
        "fit": lambda: step(*next(batches)),
        "input": lambda: next(batches),
    }
    products: dict[str, list[float]] = {"bfloat16": [], "float32": []}
    rates: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(options.rounds):
        for name, values in products.items():
            values.append(product_gflops(product(getattr(torch, name))))
        for name, call in timed.items():
            rates[name].append(len(constant[1]) / seconds_of(call, options.steps))
    recorder.write(**measurements(products, rates, macs, "bfloat16"), batch_size=options.batch_size)


def product(dtype: torch.dtype) -> Any:
    """() → the product of two large matrices."""
    left, right = torch.randn(MATRIX, MATRIX).to(dtype), torch.randn(MATRIX, MATRIX).to(dtype)
    left @ right
    return lambda: left @ right


def count_macs(net: Network, image: torch.Tensor) -> int:
    """Multiply-adds of the convolutions and the head in the forward pass of an image."""
    counts = []

    def count(layer: Any, _: Any, output: torch.Tensor) -> None:
        counts.append(layer.weight[0].numel() * output[0].numel())

    convolutions = [layer for layer in net.modules() if isinstance(layer, torch.nn.Conv2d)]
    hooks = [layer.register_forward_hook(count) for layer in [*convolutions, net.head]]
    with torch.no_grad():
        net(image)
    for hook in hooks:
        hook.remove()
    return sum(counts)


if __name__ == "__main__":
    main()
