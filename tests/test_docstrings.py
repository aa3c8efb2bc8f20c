"""Docstrings: their examples run, they have the house's sections, and the site holds every public name."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import inspect
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import straightthrough as ste
from public_names import MODULES, public
from straightthrough import _registry
from straightthrough.core import Operation
from straightthrough.proxies import Family

ROOT = Path(__file__).resolve().parents[1]


def examples_of(value: Any) -> list[doctest.Example]:
    return doctest.DocTestParser().get_examples(inspect.getdoc(value) or "")


def run_docstring(name: str, value: Any) -> str:
    """Runs the examples of one docstring; the text of what fails, or ''."""
    module = importlib.import_module(value.__module__)
    # An operation's and a family's own module would not give them: they are objects, not functions.
    space = {**vars(module), "__name__": module.__name__}
    if isinstance(value, Family):
        space["torch"] = importlib.import_module("torch")  # as straightthrough.proxies says
    test = doctest.DocTest(examples_of(value), space, name, module.__file__, 0, None)
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    report = io.StringIO()
    doctest.DocTestRunner(verbose=False, optionflags=flags).run(test, out=report.write)
    return report.getvalue()


@pytest.mark.parametrize("module_name", MODULES)
def test_docstring_examples_run(module_name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failures = [run_docstring(name, value) for name, value in public(module_name).items()]
    assert "".join(failures) == ""


def test_a_wrong_docstring_fails():
    def wrong():
        """>>> 1 + 1
        3
        """

    assert "Expected:\n    3" in run_docstring("wrong", wrong)
    assert examples_of(ste.sign)
    assert examples_of(ste.proxies.relu)


SECTIONS = ("Args", "Returns", "Gradient", "Raises", "Example", "Source")


def missing_sections(value: Any) -> list[str]:
    """Which sections of the house's docstring (Args, Returns, Gradient, Raises, Example, Source) are not there."""
    text = inspect.getdoc(value) or ""
    have = {section for section in SECTIONS if re.search(rf"^{section}:", text, re.MULTILINE)}
    if isinstance(value, Operation) or value is ste.straight_through:
        wanted = set(SECTIONS)
    elif isinstance(value, Family):
        # Value and slope make its sentence; kinks, mass and source are stated beside it and shown by `describe`.
        have |= {"Source"} if value.source else set()
        wanted = {"Example", "Source"}
    elif inspect.isclass(value) and value.__name__ == "StraightThrough":
        wanted = set(SECTIONS)
    elif inspect.isfunction(value):
        wanted = {"Example"} | ({"Args"} if inspect.signature(value).parameters else set())
    else:
        wanted = set()
    return sorted(wanted - have) if text else ["all"]


# These take arrays of numbers and files of a report; examples of them would be long and say little.
NO_EXAMPLE = {"straightthrough.report", "straightthrough.datasets"}


@pytest.mark.parametrize("module_name", MODULES)
def test_docstrings_have_their_sections(module_name):
    if module_name in NO_EXAMPLE:
        assert [name for name, value in public(module_name).items() if not inspect.getdoc(value)] == []
        return
    lacking = {name: missing_sections(value) for name, value in public(module_name).items()}
    assert {name: sections for name, sections in lacking.items() if sections} == {}


def test_every_operation_and_family_is_a_public_name():
    named = {id(value) for value in (*public("straightthrough").values(), *public("straightthrough.proxies").values())}
    registered = {**_registry.operations, **_registry.families}
    assert [name for name, value in registered.items() if id(value) not in named] == []


# --- the site ---------------------------------------------------------------------------------------------------------


def test_every_public_name_is_on_a_page_of_the_site(tmp_path):
    """Every name of every public module, `xp` nowhere; that the site builds strictly is a part of it."""
    pytest.importorskip("mkdocs", reason="the docs group is not installed")
    site = built_site(tmp_path, ROOT)
    html = reference(site)
    assert undocumented(html) == []
    assert not re.search(r'class="n">xp</span>', html)
    # The check can fail.
    gone = "straightthrough.thresholds.ternary"
    assert undocumented(html.replace(f'id="{gone}"', "")) == [gone]


def built_site(folder: Path, root: Path) -> Path:
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder / "site")]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


def reference(site: Path) -> str:
    return "".join(page.read_text(encoding="utf-8") for page in site.glob("reference/*/index.html"))


def undocumented(html: str) -> list[str]:
    """The public names without an anchor in the reference."""
    anchors = set(re.findall(r'id="(straightthrough\.[\w.]+)"', html))
    missing = []
    for module_name in MODULES:
        for name, value in public(module_name).items():
            own = f"{value.__module__}.{getattr(value, '__qualname__', name)}"
            if not anchors & {own, f"{module_name}.{name}"}:
                missing.append(own)
    return missing
