"""The docs run: README, pages and examples; generated pages equal the registry; what the pages name is there.

In a page each ``python`` block runs, in one namespace per page, a tab with a copy of it. A ``text`` block that follows
a ``python`` block directly is what that prints, and is compared. Commands stand in ``bash`` blocks, which do not run. A
block that only includes a file (``--8<--``) is run as that file; the numbers that it prints may differ a little between
machines.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import io
import itertools
import os
import re
import subprocess
import sys
import textwrap
import types
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from straightthrough import _registry

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^(?P=indent)``` *$", re.MULTILINE | re.DOTALL
)
INCLUDED = re.compile(r"^--8<--\n(?P<path>\S+)\n--8<--$")
SLACK = 0.05
"""How far a number that an example prints may be from the page: training is not bitwise the same everywhere."""


class Block(NamedTuple):
    """A ``python`` block: the tab it stands in, where, its code, and what it prints if the page says so."""

    tab: str
    line: int
    code: str
    output: str | None


def tab_at(text: str, place: int) -> str:
    """The tab that an indented block belongs to."""
    tabs = re.findall(r'^=== "(.+)"$', text[:place], re.MULTILINE)
    return tabs[-1] if tabs else ""


def blocks(text: str) -> list[Block]:
    found = []
    fences = list(FENCE.finditer(text))
    for fence, following in itertools.zip_longest(fences, fences[1:]):
        if fence["language"] != "python":
            continue
        output = None
        if following and following["language"] == "text" and not text[fence.end() : following.start()].strip():
            output = textwrap.dedent(following["code"])
        tab = tab_at(text, fence.start()) if fence["indent"] else ""
        line = text.count("\n", 0, fence.start()) + 2
        found.append(Block(tab, line, textwrap.dedent(fence["code"]), output))
    return found


class Spaces:
    """The namespaces of one page: modules that are there while it runs, because compilers look them up by name."""

    def __init__(self) -> None:
        self.modules: dict[str, types.ModuleType] = {}

    def of(self, tab: str) -> dict[str, Any]:
        """The namespace of a tab, or of the page itself; a tab begins with what the page has defined so far."""
        if tab not in self.modules:
            module = types.ModuleType(f"page_{len(self.modules)}")
            if tab:
                names = {name: value for name, value in self.of("").items() if not name.startswith("__")}
                vars(module).update(names)
            self.modules[tab] = sys.modules[module.__name__] = module
        return vars(self.modules[tab])

    def close(self) -> None:
        for module in self.modules.values():
            sys.modules.pop(module.__name__, None)


def run_page(path: Path, text: str) -> None:
    """Runs the blocks of a page; raises what they raise, and AssertionError for another output than it says."""
    spaces = Spaces()
    try:
        for block in blocks(text):
            if INCLUDED.match(block.code.strip()):
                continue
            printed = io.StringIO()
            code = compile("\n" * (block.line - 1) + block.code, str(path), "exec")
            with contextlib.redirect_stdout(printed):
                exec(code, spaces.of(block.tab))
            if block.output is not None:
                place = f"{path.relative_to(ROOT)}:{block.line}"
                assert lines(printed.getvalue()) == lines(block.output), f"{place} prints another text"
    finally:
        spaces.close()


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]


@pytest.fixture
def quick_compiler(monkeypatch):
    """torch.compile without its code generator: the same graphs in a tenth of the time; inductor has its own tests."""
    import torch

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="aot_eager"))


WITH_CODE = [path for path in PAGES if blocks(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("path", WITH_CODE, ids=lambda path: str(path.relative_to(ROOT)))
@pytest.mark.usefixtures("quick_compiler")
def test_page_runs(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_page(path, path.read_text(encoding="utf-8"))


def test_a_wrong_page_fails():
    page = ROOT / "README.md"
    run_page(page, "```python\nprint(1)\n```\n\n```text\n1\n```\n")
    with pytest.raises(AssertionError, match="another text"):
        run_page(page, "```python\nprint(1)\n```\n\n```text\n2\n```\n")
    with pytest.raises(ZeroDivisionError):
        run_page(page, '=== "JAX"\n\n    ```python\n    1 / 0\n    ```\n')
    with pytest.raises(NameError):
        run_page(page, '=== "A"\n\n    ```python\n    x = 1\n    ```\n\n=== "B"\n\n    ```python\n    x\n    ```\n')


# --- examples ---------------------------------------------------------------------------------------------------------


def outputs_on_pages(example: str) -> list[str]:
    """What the pages that include an example say that it prints."""
    found = []
    for path in PAGES:
        for block in blocks(path.read_text(encoding="utf-8")):
            included = INCLUDED.match(block.code.strip())
            if included and included["path"] == example and block.output is not None:
                found.append(block.output)
    return found


def assert_about_equal(printed: str, said: str) -> None:
    """The same words, and numbers within SLACK of one another."""
    number = re.compile(r"-?\d+\.\d+")
    assert number.sub("#", printed).split() == number.sub("#", said).split()
    for one, other in zip(number.findall(printed), number.findall(said), strict=True):
        assert abs(float(one) - float(other)) <= SLACK, f"{one} on this machine, {other} on the page"


def example(path: Path) -> Any:
    """The first example of each framework in every run; the others are tried by the tests of their module too."""
    return pytest.param(path, id=path.name, marks=() if path.stem.startswith("fix_") else pytest.mark.slow)


@pytest.mark.parametrize("path", [example(path) for path in EXAMPLES])
def test_example_runs(path, tmp_path):
    needs = {"torch", "jax", "tensorflow"} & set(re.findall(r"[a-z]+", path.stem)) or {"keras", "flax"} & set(
        path.stem.split("_")
    )
    for name in needs:
        pytest.importorskip(name)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(path)], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for said in outputs_on_pages(f"examples/{path.name}"):
        assert_about_equal(done.stdout, said)


def test_every_included_file_exists():
    wanted = {
        INCLUDED.match(block.code.strip())["path"]
        for path in PAGES
        for block in blocks(path.read_text(encoding="utf-8"))
        if INCLUDED.match(block.code.strip())
    }
    assert [path for path in wanted if not (ROOT / path).is_file()] == []


# --- what the pages say about the repository --------------------------------------------------------------------------


def test_paths_in_the_text_exist():
    """Files that a page names (in code marks), and what the README links to."""
    named = re.compile(r"`((?:tests|src|docs|examples|benchmarks)/[\w./*]+)`")
    missing = []
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        missing += [f"{path.name}: {name}" for name in named.findall(text) if not list(ROOT.glob(name.rstrip("/")))]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([\w./]+)(?:#[\w-]+)?\)", readme)
    missing += [f"README.md: {link}" for link in links if not (ROOT / link).exists()]
    assert len(links) > 10
    assert missing == []


def test_counts_in_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"{len(_registry.operations)} ready operations" in readme
    assert f"{len(_registry.families)} named proxies" in readme


# --- generated pages --------------------------------------------------------------------------------------------------


@functools.cache
def generated() -> dict[str, str]:
    pytest.importorskip("torch")
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pages()


@pytest.mark.parametrize("page", ["proxies.md", "operations.md"])
def test_generated_page_equals_the_registry(page):
    stale = "run python docs/generate.py"
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == generated()[page], stale


def test_pictures_equal_the_registry():
    """Their words exactly, their points to a fifth of a pixel: exponentials differ in the last bit between machines."""
    number = re.compile(r"-?\d+(?:\.\d+)?")
    for path, text in generated().items():
        if not path.endswith(".svg"):
            continue
        there = (ROOT / "docs" / path).read_text(encoding="utf-8")
        assert number.sub("#", there) == number.sub("#", text), path
        pairs = zip(number.findall(there), number.findall(text), strict=True)
        assert all(abs(float(one) - float(other)) <= 0.2 for one, other in pairs), path


def test_no_picture_of_a_proxy_that_is_gone():
    drawn = {path.name for path in (ROOT / "docs/images/proxies").glob("*.svg")}
    assert drawn == {Path(path).name for path in generated() if path.endswith(".svg")}
