"""What a demo is asked to do, and the command that asks for it again."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from straightthrough._errors import ArgumentError, UnknownNameError, nearest, wrong

FRAMEWORKS = ("jax", "torch", "tensorflow")
DATA = ("digits", "mnist", "fashion_mnist")
TRAIN_IMAGES = 10_000
"""At most this many images are trained on: the demo has three minutes."""

_EPOCHS = {"digits": 30, "mnist": 5, "fashion_mnist": 5}


@dataclass(frozen=True)
class Settings:
    """The options of `ste demo`, checked.

    Raises:
        UnknownNameError: no such framework or data set.
        ArgumentError: fewer than one seed or epoch.
    """

    framework: str = "jax"
    data: str = "digits"
    data_dir: str | None = None
    seeds: int = 3
    seed: int = 0
    epochs: int | None = None
    out: str | None = None

    def __post_init__(self) -> None:
        for option, value, known in (("framework", self.framework, FRAMEWORKS), ("data", self.data, DATA)):
            if value not in known:
                remedy = nearest(value, known)
                raise UnknownNameError(wrong("demo", f"--{option}", f"one of {', '.join(known)}", repr(value), remedy))
        for option, number, least in (("seeds", self.seeds, 1), ("seed", self.seed, 0), ("epochs", self.passes, 1)):
            if number < least:
                raise ArgumentError(wrong("demo", f"--{option}", f"{least} or more", str(number)))

    @property
    def passes(self) -> int:
        """How often the training data are gone through."""
        return _EPOCHS[self.data] if self.epochs is None else self.epochs

    @property
    def folder(self) -> Path:
        """Where everything is written; each framework and data set has its own unless `out` is given."""
        return Path(self.out) if self.out else Path("ste-demo") / f"{self.framework}-{self.data}"

    @property
    def all_seeds(self) -> range:
        """The seeds of the runs."""
        return range(self.seed, self.seed + self.seeds)

    def command(self) -> str:
        """The command that asks for exactly this."""
        words = ["ste", "demo", "--framework", self.framework, "--data", self.data]
        if self.data_dir is not None:
            words += ["--data-dir", self.data_dir]
        words += ["--seeds", str(self.seeds), "--seed", str(self.seed), "--epochs", str(self.passes)]
        return shlex.join([*words, "--out", str(self.folder)])
