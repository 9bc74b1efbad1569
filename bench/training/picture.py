"""CPU seconds of each trainer as bars, a panel for each task and base."""

from pathlib import Path
from typing import Any

from training.report import OURS, Runs, cpu_of_a_row, median
from training.results import Result, grouped

NAMES = {
    OURS: "Tunewright",
    "trl": "TRL as it comes",
    "trl-float32": "TRL as it comes,\nbut float32",
    "trl-best": "TRL at its best",
    "peft": "PEFT, plain loop",
}
_LONGEST = 4.0  # of the next; a longer bar is cut, and says so


def draw(results: list[Result], file: Path) -> None:
    import matplotlib.pyplot as plt

    panels = [
        (f"{task}, {base}", {name: some for name, some in runs.items() if name in NAMES})
        for (base, task), runs in grouped(results)
        if runs.keys() & NAMES.keys()
    ]
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(5 * columns, 2.1 * rows + 0.5), squeeze=False, layout="constrained"
    )
    for panel in axes.flat[len(panels) :]:
        panel.axis("off")
    for panel, (title, runs) in zip(axes.flat, panels, strict=False):
        _panel(panel, title, runs)
    figure.suptitle("CPU seconds to learn a row once (shorter is better)", fontsize=11)
    figure.savefig(file, dpi=140)
    plt.close(figure)


def _panel(panel: Any, title: str, runs: Runs) -> None:
    ordered = [name for name in NAMES if name in runs]
    took = {name: median(runs[name], cpu_of_a_row) for name in ordered}
    ours, most = took.get(OURS), _edge(list(took.values()))
    for at, (name, seconds) in enumerate(took.items()):
        shown = min(seconds, most)
        panel.barh(at, shown, color="#1f6f5c" if name == OURS else "#b9c2c9", height=0.7)
        if shown < seconds:
            panel.text(most * 0.97, at, "//", ha="right", va="center", color="white", weight="bold")
        times = f"  {seconds / ours:.1f}x" if ours and name != OURS else ""
        panel.text(shown + most * 0.02, at, f"{_short(seconds)}{times}", va="center", fontsize=9)
    panel.set_yticks(range(len(took)), [NAMES[name] for name in took], fontsize=9)
    panel.set_ylim(max(len(took), 4) - 0.5, -0.5)  # bars alike in all panels
    panel.set_xlim(0, most * 1.35)
    panel.set_title(title, fontsize=10, loc="left")
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(axis="x", labelsize=8)


def _edge(took: list[float]) -> float:
    """Where the axis ends: the longest bar, unless it would dwarf the others."""
    *others, longest = sorted(took)
    return min(longest, _LONGEST * others[-1]) if others else longest


def _short(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"
