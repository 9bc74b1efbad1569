"""Draw the loss of a training run from its checkpoint. Needs the extra `bench` (matplotlib)."""

import argparse
from pathlib import Path

import torch
from matplotlib.figure import Figure

OUT = Path(__file__).with_name("loss.svg")


def draw(losses: list[tuple[int, float, float]], out: Path) -> None:
    """`losses`: (tokens, seconds, mean loss of 20 steps in nats a token), as `Run` keeps them."""
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.plot([tokens / 1e6 for tokens, _, _ in losses], [loss for _, _, loss in losses])
    axes.set(xlabel="tokens seen, millions", ylabel="training loss, nats a token")
    axes.grid(alpha=0.3)
    figure.savefig(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--out", type=Path, default=OUT, help="a picture: .svg or .png")
    args = parser.parse_args()
    draw(torch.load(args.checkpoint, weights_only=True)["losses"], args.out)


if __name__ == "__main__":
    main()
