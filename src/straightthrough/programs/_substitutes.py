"""Which operators of a program get which proxy: keys as the doctor prints them, and what became of each.

A key is an operator's name, alone (``"round"``) or with a place (``"greater@file.py:142"``, ``"argmax@package.*"``;
``#2`` for the second one on the line), the qualified name of a function (``"jax.numpy.floor_divide"``), or ``"*"``.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from straightthrough._errors import ArgumentError, UnknownNameError, nearest, short, wrong
from straightthrough.programs._description import Place
from straightthrough.programs._keys import Keys
from straightthrough.programs._names import canonical
from straightthrough.proxies.lookup import resolve

SELECTIONS = {"argmax", "argmin", "top_k"}
FLAT = {
    *("round", "floor", "ceil", "trunc", "sign", "heaviside", "cast"),
    *("greater", "greater_equal", "less", "less_equal", "equal", "not_equal"),
    *SELECTIONS,
}
"""What ``"*"`` stands for."""


@dataclass
class Rewrite:
    """One operator that was given a proxy.

    Attributes:
        key: as the doctor prints it.
        operator: its name.
        place: the user's line.
        proxy: as it is written.
        landed: where the proxy's derivative joined a float again: ``"cast@file.py:12"``; the operator's own key if its
            result is a float.
        dropped: where a value made of it lost the proxy: harmless if it landed elsewhere.
    """

    key: str
    operator: str
    place: Place | None
    proxy: Any = field(repr=False)
    landed: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Key:
    """A key taken apart."""

    text: str
    operator: str
    place: str
    number: str

    @classmethod
    def of(cls, text: str) -> _Key:
        rest, _, number = text.partition("#")
        operator, _, place = rest.partition("@")
        name = operator.rpartition(".")[2]
        operator = name if name == "*" else canonical(name)
        return cls(text, operator, place, number or ("1" if ":" in place else ""))

    def fits(self, operator: str, place: Place | None, number: int) -> bool:
        if self.operator == "*":
            if operator not in FLAT:
                return False
        elif operator != self.operator:
            return False
        return (not self.number or int(self.number) == number) and self._is_at(place)

    def _is_at(self, place: Place | None) -> bool:
        if not self.place:
            return True
        if place is None:
            return False
        file, _, line = self.place.rpartition(":")
        if line.isdigit():
            return place.line == int(line) and place.file.replace("\\", "/").endswith("/" + file.lstrip("/"))
        dotted = place.file.replace("\\", "/").removesuffix(".py").replace("/", ".")
        within = f"{dotted}.{place.function}"
        return fnmatch.fnmatch(dotted, f"*.{self.place}") or fnmatch.fnmatch(within, f"*.{self.place}")


class Substitutes:
    """The keys of one call of `with_proxies`, and what they met in one program."""

    def __init__(self, proxies: Mapping[str, Any]):
        if not isinstance(proxies, Mapping) or not proxies:
            wanted = 'a dictionary such as {"round": "identity"}'
            raise ArgumentError(wrong("with_proxies", "proxies", wanted, short(proxies)))
        self._proxies = {_Key.of(str(text)): resolve(proxy, "with_proxies") for text, proxy in proxies.items()}
        self.rewrites: dict[str, Rewrite] = {}
        self._keys = Keys()

    def start(self) -> None:
        """Forgets the last program."""
        self.rewrites, self._keys = {}, Keys()

    def key_of(self, operator: str, place: Place | None) -> str:
        """The key as the doctor prints it; asked for in the order of the program."""
        return self._keys.key(operator, place)

    def sought(self, operator: str, place: Place | None) -> Rewrite | None:
        """The rewrite for this operator, if a key fits it."""
        number = self._keys.number(operator, place)
        for key, proxy in self._proxies.items():
            if key.fits(operator, place, number):
                if key.operator == "*" and operator in SELECTIONS and _is_elementwise(proxy):
                    proxy = resolve("softmax", "with_proxies")
                name = self.key_of(operator, place)
                return self.rewrites.setdefault(name, Rewrite(name, operator, place, proxy))
        return None

    def land(self, keys: tuple[str, ...], where: str) -> None:
        """The proxies of these operators joined a float at ``where``."""
        for key in keys:
            landed = self.rewrites[key].landed
            if where not in landed:
                landed.append(where)

    def drop(self, keys: tuple[str, ...], where: str) -> None:
        """What came of these operators lost its proxy at ``where``."""
        for key in keys:
            self.rewrites[key].dropped.append(where)

    def check_matched(self) -> None:
        """Every key must have met something.

        Raises:
            UnknownNameError: a key fits no operator of the program; lists those that occur.
        """
        for key in self._proxies:
            if not any(self._met(key, rewrite) for rewrite in self.rewrites.values()):
                known = nearest(key.text, self._occurring())
                raise UnknownNameError(f"with_proxies: no operator of the program fits {key.text!r}; {known}")

    def _occurring(self) -> list[str]:
        return [key for key in self._keys.seen if not key.endswith("@?")] or self._keys.seen

    def _met(self, key: _Key, rewrite: Rewrite) -> bool:
        number = self._keys.number(rewrite.operator, rewrite.place)
        return key.fits(rewrite.operator, rewrite.place, number)

    def check_landed(self) -> None:
        """Every proxy must have reached a float.

        Raises:
            ArgumentError: one did not; names the operator that dropped it.
        """
        for rewrite in self.rewrites.values():
            if not rewrite.landed:
                by = rewrite.dropped[0] if rewrite.dropped else "the end of the program, which does not use it"
                raise ArgumentError(
                    f"with_proxies: the proxy of {rewrite.key} never lands: its value is dropped by {by}; "
                    "counts, sizes, addresses and Python numbers carry no gradient: keep a float (a mask, a one-hot) "
                    "up to the loss"
                )


def _is_elementwise(proxy: Any) -> bool:
    family = getattr(proxy, "family", None)
    return family is not None and bool(family.elementwise)
