"""Plots and pages of a report."""

import functools
import itertools
import math
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from straightthrough import report
from straightthrough._errors import ArgumentError, MissingDependencyError
from straightthrough.report import Page, Table
from straightthrough.report.figures import spread_out

SRC = str(Path(report.__file__).parents[2])


def in_another_process(code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": SRC}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


# --- colours and plots ----------------------------------------------------------------------------------------------


def test_colours_do_not_depend_on_the_order_and_are_distinct() -> None:
    names = ["identity", "clipped_relu", "sigmoid", "broken", "float", "triangle", "gaussian"]
    forward, backward = report.colours_for(names), report.colours_for(names[::-1])
    assert forward == backward
    assert list(forward) == names
    assert len(set(forward.values())) == len(names)
    assert forward["broken"] == report.BAD
    assert report.BAD not in report.PALETTE


def test_labels_are_pushed_apart_in_their_order() -> None:
    moved = spread_out([0.5, 0.51, 0.0, 0.5], 0.1)
    assert sorted(range(4), key=moved.__getitem__) == [2, 0, 3, 1]
    steps = sorted(moved)
    assert min(b - a for a, b in itertools.pairwise(steps)) >= 0.1 - 1e-9
    assert min(moved) >= 0
    assert max(moved) <= 1
    assert spread_out([0.2, 0.8], 0.1) == [0.2, 0.8]


FLOWS = {
    "broken": [("fc2", 0.4), ("fc1", 0.0), ("conv", 0.0)],
    "identity": [("fc2", 0.4), ("fc1", 0.2), ("conv", 1e-4)],
}


@functools.cache
def figures() -> dict[str, object]:
    pytest.importorskip("matplotlib")
    x = [-1.0, 0.0, 1.0]
    curve = {"name": "relu", "x": x, "value": [0.0, 0.0, 1.0], "slope": [0.0, 0.0, 1.0]}
    return {
        "loss": report.loss_curves({"identity": {"mean": [2.0, 1.0], "low": [1.9, 0.9], "high": [2.1, 1.1]}}),
        "bars": report.accuracy_bars({"broken": [0.1, 0.1], "float": [0.9], "relu": [0.7, 0.8]}, chance=0.1),
        "flow": report.gradient_flow(FLOWS),
        "slope": report.value_and_slope({"name": "heaviside", "x": x, "value": [0, 0, 1]}, [curve] * 4),
    }


def test_plots_leave_pyplot_and_its_settings_alone() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    before = dict(matplotlib.rcParams)
    for figure in figures().values():
        report.svg(figure)
    assert dict(matplotlib.rcParams) == before
    code = "import sys; from straightthrough import report\n"
    code += "report.svg(report.loss_curves({'a': {'mean': [1.0, 2.0]}})); print('matplotlib.pyplot' in sys.modules)"
    done = in_another_process(code)
    assert done.stdout.strip() == "False", done.stderr


def test_flow_shows_zero_as_zero_in_a_place_of_its_own() -> None:
    pytest.importorskip("matplotlib")
    axes = report.gradient_flow(FLOWS).axes[0]
    ticks = dict(zip([t.get_text() for t in axes.get_yticklabels()], axes.get_yticks(), strict=True))
    heights = [float(dots.get_offsets()[0][1]) for dots in axes.collections]
    assert heights.count(ticks["0"]) == 2
    assert ticks["0"] < math.log10(1e-4) - 0.2
    assert "inf, nan" not in ticks
    odd = report.gradient_flow({"a": [("x", math.nan), ("y", math.inf), ("z", 1.0)]}).axes[0]
    assert "inf, nan" in [t.get_text() for t in odd.get_yticklabels()]


def test_flow_that_is_zero_everywhere() -> None:
    pytest.importorskip("matplotlib")
    assert report.svg(report.gradient_flow({"broken": [("a", 0.0)]}))


def test_bars_are_sorted_with_a_point_for_each_seed() -> None:
    axes = figures()["bars"].axes[0]  # type: ignore[attr-defined]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["broken", "relu", "float"]
    assert sorted(len(dots.get_offsets()) for dots in axes.collections) == [1, 2, 2]


def test_plots_of_nan_and_of_many_names() -> None:
    pytest.importorskip("matplotlib")
    many = {f"proxy_{k}": {"mean": [1.0, math.nan if k == 3 else 0.5]} for k in range(12)}
    assert "proxy_3 (nan)" in report.svg(report.loss_curves(many))
    assert "nan" in report.svg(report.accuracy_bars({"a": [math.nan], "b": [0.5]}))


def test_plots_refuse_what_they_cannot_draw() -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(ArgumentError, match="loss_curves: curves must not be empty"):
        report.loss_curves({})
    with pytest.raises(ArgumentError, match="must have lists of one length, got 2 means"):
        report.loss_curves({"a": {"mean": [1, 2], "low": [1]}})
    with pytest.raises(ArgumentError, match="norms must be 0 or more, got -1"):
        report.gradient_flow({"a": [("x", -1.0)]})
    with pytest.raises(ArgumentError, match="'relu' must have one length"):
        report.value_and_slope({}, [{"name": "relu", "x": [1], "value": [1, 2], "slope": [1]}])


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'straightthrough\[report\]'"):
        report.loss_curves({"a": {"mean": [1.0]}})


def test_svg_is_the_same_in_another_process_and_has_no_date() -> None:
    pytest.importorskip("matplotlib")
    code = "from straightthrough import report\n"
    code += f"print(report.svg(report.gradient_flow({FLOWS!r})))"
    first = in_another_process(code)
    assert first.stdout.startswith("<svg"), first.stderr
    assert first.stdout.strip() == report.svg(report.gradient_flow(FLOWS))
    assert not re.search(r"20\d\d-\d\d-\d\d", first.stdout)


def test_saving_a_figure_changes_nothing(tmp_path: Path) -> None:
    for figure in figures().values():
        first = report.svg(figure)  # type: ignore[arg-type]
        report.save_png(figure, tmp_path / "a.png")  # type: ignore[arg-type]
        assert report.svg(figure) == first  # type: ignore[arg-type]


def test_png(tmp_path: Path) -> None:
    path = report.save_png(figures()["bars"], tmp_path / "new" / "bars.png")  # type: ignore[arg-type]
    assert path.read_bytes().startswith(b"\x89PNG")
    assert [file.name for file in path.parent.iterdir()] == ["bars.png"]


# --- pages ----------------------------------------------------------------------------------------------------------


class Reader(HTMLParser):
    """Checks that tags close in order, and collects what a browser would load, ids and headings."""

    VOID = frozenset({"meta", "link", "br", "img", "input", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.images: list[str | None] = []
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        named = dict(attrs)
        self.loads += [str(named[key]) for key in ("src", "href", "data", "poster", "srcset") if named.get(key)]
        self.loads += re.findall(r"url\(([^)]*)\)", " ".join(str(v) for v in named.values()))
        self.ids += [str(named["id"])] if "id" in named else []
        if tag == "svg":
            self.images.append(named.get("aria-label"))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


EVIL = '<script>alert("x")</script> & \' `<i>code</i>`'


@functools.cache
def page_text() -> str:
    drawn = figures()
    made = Page(EVIL, subtitle=EVIL, footer=EVIL).section(EVIL).paragraph(f"{EVIL}\n\nsecond").code(EVIL, EVIL)
    made.note(EVIL, "bad").points([EVIL]).numbers([(EVIL, EVIL), ("1", "one", "good")]).subheading(EVIL)
    made.table(Table(EVIL, [EVIL], [[EVIL]], EVIL)).section("Pictures")
    for name, figure in drawn.items():
        made.figure(figure, alt=f"{name} {EVIL}", caption=EVIL)  # type: ignore[arg-type]
    return made.figure(drawn["flow"], alt="the same once more").to_html()  # type: ignore[arg-type]


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    return reader


def test_page_is_well_formed_and_accessible() -> None:
    text = page_text()
    reader = read(text)
    assert reader.open == []
    assert len(reader.ids) == len(set(reader.ids))
    assert len(reader.images) == 5
    assert all(reader.images)
    for needed in ("title", "h1", "main", "nav", "caption", "figcaption", "footer", "header"):
        assert needed in reader.tags, needed
    assert reader.tags.count("h1") == 1
    assert 'lang="en"' in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_page_loads_nothing_from_outside() -> None:
    text = page_text()
    reader = read(text)
    assert [load for load in reader.loads if not load.startswith(("#", "data:,"))] == []
    assert {load[1:] for load in reader.loads if load.startswith("#")} <= set(reader.ids)
    assert "http" not in text
    assert "@import" not in text


def test_page_escapes_all_text() -> None:
    text = page_text()
    reader = read(text)
    assert "script" not in reader.tags
    assert "i" not in reader.tags
    assert '<script>alert("x")</script>' in reader.text
    assert "<code>&lt;i&gt;code&lt;/i&gt;</code>" in text


def test_page_is_written_whole(tmp_path: Path) -> None:
    path = Page("ü").paragraph("✗").write(tmp_path / "report.html")
    assert "✗" in path.read_text(encoding="utf-8")
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
