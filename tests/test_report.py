"""Tables, plots, pages and the results store."""

import errno
import functools
import itertools
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest

from straightthrough import report
from straightthrough._errors import ArgumentError, DataError, MissingDependencyError
from straightthrough.report import Cell, Column, Page, Store, Table, read_records
from straightthrough.report.figures import spread_out

SRC = str(Path(report.__file__).parents[2])


def in_another_process(code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": SRC}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


# --- numbers and tables ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "form", "shown"),
    [
        (0, "", "0"),
        (0.0, "", "0"),
        (-0.0, "", "0"),
        (0.0, ".2e", "0"),
        (0.0, ".1%", "0%"),
        (0.98134, "", "0.9813"),
        (1437, "", "1437"),
        (12345.6, "", "12346"),
        (9999.7, "", "10000"),
        (3.2e-9, "", "3.2e-9"),
        (-4.5e12, "", "-4.5e12"),
        (0.123, ".1%", "12.3%"),
        (1e-5, ".2f", "1e-5"),
        (1e-5, ".1%", "0.001%"),
        (math.nan, ".2f", "nan"),
        (-math.inf, "", "-inf"),
        (None, "", "–"),
        (True, "", "yes"),
        ("relu", ".2f", "relu"),
    ],
)
def test_number(value: object, form: str, shown: str) -> None:
    assert report.number(value, form) == shown


@pytest.mark.parametrize(
    ("mean", "spread", "form", "shown"),
    [
        (0.9627, 0.00411, "", "0.9627 ± 0.0041"),
        (0.0, 0.0, "", "0 ± 0"),
        (12.34, 3.0, "", "12.3 ± 3.0"),
        (2.5e-7, 1e-8, "", "2.5e-7 ± 1.0e-8"),
        (0.5, 0.25, ".1%", "50.0% ± 25.0%"),
        (math.nan, 0.1, "", "nan ± 0.1"),
    ],
)
def test_spread(mean: float, spread: float, form: str, shown: str) -> None:
    assert Cell(mean, spread).show(form) == shown


def table() -> Table:
    rows = [["identity", Cell(0.97, 0.01, mark="good"), 0.25], ["<b>[red]broken", Cell(0.0, mark="bad"), 0.0]]
    return Table(
        "Accuracy & loss", ["proxy", Column("test", key="accuracy"), Column("loss", format=".3f")], rows, "Made up."
    )


def test_table_as_text_is_aligned() -> None:
    assert table().to_text().splitlines() == [
        "Accuracy & loss",
        "proxy                      test   loss",
        "──────────────  ───────────────  ─────",
        "identity        ✓ 0.970 ± 0.010  0.250",
        "<b>[red]broken              ✗ 0      0",
        "Made up.",
    ]


def test_table_as_dictionaries() -> None:
    assert table().to_dicts() == [
        {"proxy": "identity", "accuracy": 0.97, "accuracy_spread": 0.01, "accuracy_mark": "good", "loss": 0.25},
        {"proxy": "<b>[red]broken", "accuracy": 0.0, "accuracy_mark": "bad", "loss": 0.0},
    ]


def test_table_as_html_escapes_and_marks() -> None:
    text = table().to_html()
    assert "&lt;b&gt;[red]broken" in text
    assert "<b>" not in text
    assert "Accuracy &amp; loss" in text
    assert '<td class="right bad">✗ 0</td>' in text
    assert text.count('scope="col"') == 3


def test_table_in_a_terminal_keeps_names_that_look_like_markup() -> None:
    rich_console = pytest.importorskip("rich.console")
    console = rich_console.Console(force_terminal=True, color_system="standard", width=100, record=True)
    with console.capture() as captured:
        console.print(table().to_rich())
    assert "[red]broken" in captured.get()
    assert re.search(r"\x1b\[1;31m *✗ 0", captured.get())  # bold red


def test_table_prints_as_text_into_a_pipe_and_without_rich(capsys: pytest.CaptureFixture[str]) -> None:
    table().print()
    assert capsys.readouterr().out.strip() == table().to_text()
    code = "import sys; sys.modules['rich'] = sys.modules['rich.console'] = None\n"
    code += "from straightthrough.report import Table; Table('T', ['a'], [[0.5]]).print()"
    assert in_another_process(code).stdout.split() == ["T", "a", "───", "0.5"]


def test_table_of_uneven_rows_is_refused() -> None:
    with pytest.raises(ArgumentError, match="row 1 must have 2 entries, one per column, got 1"):
        Table("T", ["a", "b"], [[1, 2], [3]])


def test_empty_table() -> None:
    assert Table("T", ["a", "b"], []).to_text().splitlines()[1] == "a  b"


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


# --- results --------------------------------------------------------------------------------------------------------


def saved(path: Path, count: int = 3) -> list[bytes]:
    with Store(path, "study") as store:
        for seed in range(count):
            store.append({"seed": seed, "loss": 0.1 * seed})
    return path.read_bytes().splitlines(keepends=True)


def test_store_keeps_its_records(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "study.jsonl"
    record = {"name": "größe\n\u2028", "loss": math.inf, "list": [1, None, {"a": 0.1 + 0.2}]}
    with Store(path, "study") as store:
        assert store.records == []
        store.append(record)
        assert store.records == [record]
    with Store(path, "study") as store:
        assert store.records == [record]
        store.append({"seed": 1})
    assert read_records(path, "study") == [record, {"seed": 1}]
    assert [file.name for file in path.parent.iterdir()] == ["study.jsonl"]
    assert all(
        set(json.loads(line)) == {"sum", "record"} for line in path.read_text(encoding="utf-8").split("\n") if line
    )


def test_store_keeps_nan(tmp_path: Path) -> None:
    with Store(tmp_path / "s", "study") as store:
        store.append({"loss": math.nan})
    assert math.isnan(read_records(tmp_path / "s", "study")[0]["loss"])


@pytest.mark.parametrize("record", [{1: "a"}, {"a": {2: 3}}, {"a": object()}, {"a": {1, 2}}])
def test_store_refuses_what_json_would_change(tmp_path: Path, record: dict[str, object]) -> None:
    with Store(tmp_path / "s", "study") as store:
        with pytest.raises(ArgumentError, match=r"Store.append: record must be plain data with text keys"):
            store.append(record)
        assert store.records == []
        store.append({"a": 1})
    assert read_records(tmp_path / "s", "study") == [{"a": 1}]


def test_store_that_is_closed(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="use `with Store"):
        Store(tmp_path / "s", "study").append({})


@pytest.mark.parametrize("kept", [1, 10, 30, -2])
def test_torn_last_line_is_set_aside(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "s"
    lines = saved(path)
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][:kept])
    with pytest.warns(
        report.DamagedRecordWarning, match=r"last line of .* was cut short.*2 records are whole"
    ) as caught:
        store = Store(path, "study").__enter__()
    assert caught[0].filename == __file__
    assert [record["seed"] for record in store.records] == [0, 1]
    store.append({"seed": 2})
    store.close()
    assert [record["seed"] for record in read_records(path, "study")] == [0, 1, 2]
    assert (tmp_path / "s.torn").read_bytes() == lines[-1][:kept] + b"\n"


def test_last_line_that_lacks_only_its_end_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "s"
    saved(path)
    path.write_bytes(path.read_bytes()[:-1])
    assert [record["seed"] for record in read_records(path, "study")] == [0, 1, 2]
    with Store(path, "study") as store:
        store.append({"seed": 3})
    assert [record["seed"] for record in read_records(path, "study")] == [0, 1, 2, 3]


def test_every_flipped_bit_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "s"
    lines = saved(path)
    for place in range(len(lines[2]) - 1):
        flipped = bytearray(lines[2])
        flipped[place] ^= 2
        if flipped[place] == 10:  # an end of line: makes two damaged records of one
            continue
        path.write_bytes(lines[0] + lines[1] + bytes(flipped) + lines[3])
        with pytest.warns(report.DamagedRecordWarning, match=r"1 damaged record.*, line 3:"):
            store = Store(path, "study").__enter__()
        store.close()
        assert [record["seed"] for record in store.records] == [0, 2]
        assert store.damaged == [3]


def test_damaged_header_loses_no_record(tmp_path: Path) -> None:
    path = tmp_path / "s"
    lines = saved(path)
    for place in range(len(lines[0]) - 1):
        flipped = bytearray(lines[0])
        flipped[place] ^= 1
        path.write_bytes(bytes(flipped) + b"".join(lines[1:]))
        with pytest.warns(report.DamagedRecordWarning, match="line 1:"):
            assert len(read_records(path, "study")) == 3


@pytest.mark.parametrize("content", [b"not ours\n", b"\x00\xff", b'{"a": 1}\n[]\n'])
def test_another_file_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "s").write_bytes(content)
    with pytest.raises(DataError, match="is not a results file of kind 'study'"), Store(tmp_path / "s", "study"):
        pass
    assert (tmp_path / "s").read_bytes() == content
    assert not (tmp_path / "s.lock").exists()


def test_versions_and_kinds(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with Store(path, "study", version=2) as store:
        store.append({"a": 1})
    before = path.read_bytes()
    with pytest.raises(DataError, match=r"has format version 2, this straightthrough reads version 1; .*upgrade"):
        Store(path, "study").__enter__()
    with pytest.raises(DataError, match=r"has format version 2, this straightthrough writes version 3"):
        Store(path, "study", version=3).__enter__()
    with pytest.raises(DataError, match="must hold records of kind 'choose', got 'study'"):
        Store(path, "choose", version=2).__enter__()
    assert path.read_bytes() == before
    with Store(path, "study", version=2) as store:
        assert store.records == [{"a": 1}]


def test_store_is_for_one_run_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "s"
    code = "import sys; from straightthrough.report import Store\nwith Store(sys.argv[1], 'study'): pass"
    with Store(path, "study") as store:
        refused = in_another_process(code, str(path))
        assert refused.returncode == 1
        assert f"is in use by process {os.getpid()}; wait until it has finished" in refused.stderr
        with pytest.raises(DataError, match=f"in use by process {os.getpid()}"):
            Store(path, "study").__enter__()
        store.append({"a": 1})
        assert read_records(path, "study") == [{"a": 1}]  # reading is free
    assert in_another_process(code, str(path)).returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_kill_loses_no_finished_record_and_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "s"
    code = """if True:
        import sys
        from straightthrough.report import Store
        with Store(sys.argv[1], "study") as store:
            for k in range(10**9):
                store.append({"k": k, "filling": "x" * 5000})
                print(k, flush=True)
    """
    environment = {**os.environ, "PYTHONPATH": SRC}
    for _ in range(3):
        path.unlink(missing_ok=True)
        with subprocess.Popen([sys.executable, "-c", code, str(path)], env=environment, stdout=subprocess.PIPE) as run:
            assert run.stdout is not None
            for _ in range(20):
                run.stdout.readline()
            time.sleep(0.003)
            os.kill(run.pid, signal.SIGKILL)
            finished = 20 + len(run.stdout.read().splitlines())
        with Store(path, "study") as store:
            assert [record["k"] for record in store.records][:finished] == list(range(finished))
            assert len(store.records) - finished in (0, 1)  # saved, and killed before it could say so
            store.append({"k": -1})


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file size limit")
def test_full_disk_names_file_and_space_and_keeps_what_is_saved(tmp_path: Path) -> None:
    path = tmp_path / "s"
    code = """if True:
        import resource, sys
        from straightthrough.report import Store
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, resource.RLIM_INFINITY))
        with Store(sys.argv[1], "study") as store:
            saved = 0
            try:
                while True:
                    store.append({"k": saved, "filling": "x" * 500})
                    saved += 1
            except Exception as error:
                print(type(error).__name__, saved, error)
            assert len(store.records) == saved
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            store.append({"k": saved})
    """
    done = in_another_process(code, str(path))
    kind, saved_count, sentence = done.stdout.split(" ", 2)
    assert kind == "DataError", done.stderr
    assert re.search(rf"no space left for {path} .*[\d,.]+ MB free in {tmp_path}", sentence)
    assert f"the {saved_count} records saved before are kept" in sentence
    assert int(saved_count) > 3
    assert done.returncode == 0, done.stderr
    assert [record["k"] for record in read_records(path, "study")] == list(range(int(saved_count) + 1))


def test_full_disk_while_a_whole_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = report.write_json(tmp_path / "summary.json", {"a": 1})

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"no space left for .*summary\.json .* MB free .*there before is unchanged"):
        report.write_json(path, {"a": 2})
    monkeypatch.undo()
    assert report.read_json(path) == {"a": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["summary.json"]


def test_a_whole_file_gets_its_name_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = report.write_json(tmp_path / "summary.json", {"a": 1})
    seen = []

    def killed(source: Path, target: Path) -> None:
        seen.extend([Path(source).read_text(encoding="utf-8"), Path(target).read_text(encoding="utf-8")])
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(DataError, match=r"cannot write .*summary\.json \(Input/output error"):
        report.write_json(path, {"a": 2})
    assert [json.loads(text) for text in seen] == [{"a": 2}, {"a": 1}]
    assert report.read_json(path) == {"a": 1}


def test_json_is_strict(tmp_path: Path) -> None:
    path = report.write_json(tmp_path / "a.json", {"loss": math.nan, "list": (math.inf, -math.inf, 0.5), "ü": None})
    assert json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail) == {
        "loss": "nan",
        "list": ["inf", "-inf", 0.5],
        "ü": None,
    }
    with pytest.raises(ArgumentError, match="write_json: data must be plain data"):
        report.write_json(path, {"a": object()})
    path.write_text('{"a": ', encoding="utf-8")
    with pytest.raises(DataError, match="is damaged"):
        report.read_json(path)
    with pytest.raises(DataError, match="there is no file"):
        report.read_json(tmp_path / "none.json")


def test_missing_results_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no results file"):
        read_records(tmp_path / "s", "study")


# --- the package ----------------------------------------------------------------------------------------------------


def test_every_public_name_is_there() -> None:
    for name in report.__all__:
        assert getattr(report, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        report.nothing  # noqa: B018


def test_importing_it_loads_neither_matplotlib_nor_rich() -> None:
    code = "import sys; from straightthrough.report import Table, Store, Page, write_json, loss_curves\n"
    code += "print([m for m in ('matplotlib', 'rich', 'numpy', 'torch', 'jax', 'tensorflow') if m in sys.modules])"
    done = in_another_process(code)
    assert done.stdout.strip() == "[]", done.stderr
