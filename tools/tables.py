"""Write reports/tables.md: Table 1 of arora2019, 2,000 training images, printed beside measured.

    python tools/tables.py

One draw of 2,000 images of CIFAR-10. An accuracy is the share of images that a regression on all the others
gets right, with the exact binomial interval; it treats the 2,000 predictions as independent. The vanilla
kernel is computed at the printed size too, the pooled one on images averaged to 8 x 8. Needs the images
(`whp data fetch cifar10`); a quarter of an hour on two cores. What is in the file already is kept.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch

from whp.engine.environment import environment
from whp.ensembles.labelled import labelled_images
from whp.errors import WhpError
from whp.kernels import cntk
from whp.models import classification_accuracy, encode_labels, kernel_regression
from whp.models.kernel_regression import NotPositiveDefiniteError
from whp.seeding import generator

ROOT = Path(__file__).resolve().parent.parent
PAGE, NUMBERS = ROOT / "reports" / "tables.md", ROOT / "reports" / "tables.json"
IMAGES = 2000
PRINTED = {
    "V": {3: 40.94, 4: 42.54, 6: 43.43, 11: 43.42, 21: 42.53},
    "GAP": {3: 49.71, 4: 51.06, 6: 51.73, 11: 51.92, 21: 52.22},
}
NETWORKS = {"V": {"pooling": "none", "train": "all"}, "GAP": {"pooling": "average", "train": "middle"}}
COLUMNS = [("V", 8), ("V", 32), ("GAP", 8)]
# What rounding of the entries does: two classes, 8 x 8, depth 3, the mean of some draws of the errors.
ERRORS, TWO_CLASSES, DRAWS = (0.0, 1e-4, 1e-3), 1000, 10


def measure(name: str, side: int, depth: int) -> dict:
    """Accuracy, its interval, and the condition number of the kernel matrix."""
    rng = generator(0, "tables", "cifar10", 0)
    data = labelled_images(rng, "cifar10", IMAGES, part="train", pool=32 // side, dtype=torch.float32)
    start = time.perf_counter()
    H = cntk(data.X, layers=depth - 1, **NETWORKS[name])
    seconds = time.perf_counter() - start
    try:
        fit = kernel_regression(H, encode_labels(data.labels, 10))
    except NotPositiveDefiniteError as error:
        return {"fault": str(error), "seconds": seconds}
    found = classification_accuracy(fit.left_out, data.labels)
    interval = found.interval(0.05)
    return {
        "correct": found.correct,
        "low": interval.low,
        "high": interval.high,
        "condition": fit.condition,
        "seconds": seconds,
    }


def rounding(name: str) -> list[float]:
    """Accuracy on a quarter of the images by errors of the entries; eigenvalues are not looked at."""
    rng = generator(0, "tables", "rounding", 0)
    data = labelled_images(rng, "cifar10", TWO_CLASSES, part="train", classes=(0, 1), pool=4)
    H = cntk(data.X, layers=2, **NETWORKS[name]).double()
    Y, n = encode_labels(data.labels, 2), 3 * TWO_CLASSES // 4
    shares = []
    for error in ERRORS:
        correct = 0
        for _ in range(DRAWS):
            noise = torch.from_numpy(rng.standard_normal(H.shape))
            rounded = H * (1 + error * (noise + noise.T) / 2**0.5)
            outputs = rounded[n:, :n] @ torch.linalg.solve(rounded[:n, :n], Y[:n])
            correct += classification_accuracy(outputs, data.labels[n:]).correct
        shares.append(correct / (DRAWS * (TWO_CLASSES - n)))
    return shares


def shown(entry: dict | None) -> str:
    """An accuracy with its interval, in per cent."""
    if entry is None:
        return "–"
    if "fault" in entry:
        return str(entry["fault"])
    share = 100 * entry["correct"] / IMAGES
    return f"{share:.1f} [{100 * entry['low']:.1f}, {100 * entry['high']:.1f}]"


def page(record: dict) -> str:
    """The table, in Markdown."""
    entries = record["entries"]
    lines = [
        "# Table 1 of arora2019, columns 2K: printed and measured",
        "",
        "Made by `make tables`: one draw of 2,000 images of CIFAR-10, accuracy in per cent of predicting each"
        " from all others, with its exact 95 % binomial interval (as if the predictions were independent)."
        " V: vanilla CNN, all layers trained; GAP: global average pooling, first and last layer fixed."
        " Regression without regularisation, in float64 on kernels computed in float32. Condition numbers are"
        " those of the kernel matrix, in the 1-norm. The paper's numbers are for images of 32 x 32 and 10,000"
        " test images.",
        "",
        "| depth | V, printed | V, 32 x 32 | V, 8 x 8 | GAP, printed | GAP, 8 x 8"
        " | condition: V 32, V 8, GAP 8 |",
        "|---|---|---|---|---|---|---|",
    ]
    for depth in PRINTED["V"]:
        at = {column: entries.get(f"{column[0]} {column[1]} {depth}") for column in COLUMNS}
        numbers = ", ".join(
            f"{entry['condition']:.1e}" if entry and "condition" in entry else "–"
            for entry in (at["V", 32], at["V", 8], at["GAP", 8])
        )
        lines.append(
            f"| {depth} | {PRINTED['V'][depth]:.1f} | {shown(at['V', 32])} | {shown(at['V', 8])}"
            f" | {PRINTED['GAP'][depth]:.1f} | {shown(at['GAP', 8])} | {numbers} |"
        )
    lines += [
        "",
        f"What errors of the entries do: airplanes against automobiles, {TWO_CLASSES} images of 8 x 8, depth"
        f" 3, three quarters to train on; entries times 1 + e g, g standard normal, mean of {DRAWS} draws.",
        "",
        "| e | V | GAP |",
        "|---|---|---|",
    ]
    for error, *shares in zip(ERRORS, *(record["rounding"][name] for name in NETWORKS), strict=True):
        lines.append(f"| {error:g} | " + " | ".join(f"{100 * share:.1f}" for share in shares) + " |")
    system = record["environment"]
    lines += [
        "",
        "Machine and versions: " + ", ".join(f"{key} {value}" for key, value in system.items()) + ".",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    record = json.loads(NUMBERS.read_text()) if NUMBERS.exists() else {"entries": {}}
    record["environment"] = environment()
    for name, side in COLUMNS:
        for depth in PRINTED[name]:
            key = f"{name} {side} {depth}"
            if key not in record["entries"]:
                record["entries"][key] = measure(name, side, depth)
                NUMBERS.write_text(json.dumps(record, indent=2) + "\n")
                print(f"{name}, {side} x {side}, depth {depth}: {shown(record['entries'][key])}", flush=True)
    if "rounding" not in record:
        record["rounding"] = {name: rounding(name) for name in NETWORKS}
        NUMBERS.write_text(json.dumps(record, indent=2) + "\n")
    PAGE.write_text(page(record), encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except WhpError as error:
        sys.exit(f"tables: {error}")
