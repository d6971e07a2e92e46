"""Draw the picture of the README: four synthetic rhythms on ECG paper. `python docs/draw_rhythms.py`."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MultipleLocator

from ecg_rhythm import demo

SECONDS = 8
TITLES = {
    "N": "N  sinus rhythm",
    "A": "A  atrial fibrillation: irregular, no P waves",
    "O": "O  other rhythm: sinus tachycardia",
    "~": "~  noise",
}


def main() -> None:
    """Write `docs/rhythms.png`."""
    rng = np.random.default_rng(3)
    figure, axes = plt.subplots(4, 1, figsize=(10, 7), constrained_layout=True)
    for axis, (label, title) in zip(axes, TITLES.items(), strict=True):
        signal = demo.rhythm(label, rng)[: SECONDS * demo.FS]
        axis.plot(np.arange(len(signal)) / demo.FS, signal - np.median(signal), color="#1a1a2e", linewidth=1)
        axis.set(xlim=(0, SECONDS), ylim=(-1, 1.7) if label != "~" else (-2.5, 2.5))
        axis.xaxis.set_major_locator(MultipleLocator(0.2))
        axis.yaxis.set_major_locator(MultipleLocator(0.5))
        axis.grid(color="#f2b8b5", linewidth=0.6)
        axis.tick_params(length=0, labelbottom=False, labelleft=False)
        axis.set_title(title, loc="left", fontsize=11)
        for side in axis.spines.values():
            side.set_color("#f2b8b5")
    axes[-1].set_xlabel("0.2 s and 0.5 mV per square (25 mm/s, 10 mm/mV)")
    figure.savefig(Path(__file__).with_name("rhythms.png"), dpi=100)


if __name__ == "__main__":
    main()
