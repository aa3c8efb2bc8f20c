"""Draws first_screen.png, the picture of the README, from the results of a demo.

Run it: ``make demo ARGS="--framework torch"``, then ``python docs/images/make.py ste-demo/torch-digits``. It needs
matplotlib. Left the gradient at each layer, right what each network reached, all from the demo's results.json.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image

from straightthrough import report

PICTURE = Path(__file__).with_name("first_screen.png")
SHOWN = ("broken", "clipped_identity", "float (tanh)")


def drawn(figure: object, folder: Path) -> Image.Image:
    """A figure of the report as an image."""
    path = report.save_png(figure, folder / "figure.png", dpi=150)
    picture = Image.open(io.BytesIO(path.read_bytes())).convert("RGB")
    path.unlink()
    return picture


def main(folder: Path) -> None:
    """Reads ``results.json`` of a demo and writes the picture."""
    results = report.read_json(folder / "results.json")
    accuracies: dict[str, list[float]] = {}
    for run in results["runs"]:
        accuracies.setdefault(run["variant"], []).append(run["accuracy"])
    colours = report.colours_for(accuracies)
    flows = {name: [(step["name"], step["loss_gradient"]) for step in results["flow"][name]] for name in SHOWN}
    left = drawn(report.gradient_flow(flows, colours), folder)
    right = drawn(report.accuracy_bars(accuracies, colours, chance=0.1), folder)
    both = Image.new("RGB", (left.width + right.width + 40, max(left.height, right.height)), "white")
    both.paste(left, (0, (both.height - left.height) // 2))
    both.paste(right, (left.width + 40, (both.height - right.height) // 2))
    # 256 colours are enough for it, and a third of the bytes.
    both.quantize(256).save(PICTURE, optimize=True)
    print(PICTURE.name, both.size, f"{PICTURE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
