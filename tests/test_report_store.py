"""The results store: what is kept through damage, a kill and a full disk."""

import errno
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from straightthrough import report
from straightthrough._errors import ArgumentError, DataError
from straightthrough.report import Store, read_records

SRC = str(Path(report.__file__).parents[2])


def in_another_process(code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": SRC}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


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
