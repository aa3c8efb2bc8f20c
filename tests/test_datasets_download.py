"""Downloads of data sets: once, checked, from the next mirror, and every way in which they can fail."""

import functools
import gzip
import hashlib
import http.server
import io
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataset_files import PARTS, assert_parts, cifar_records, idx, write_idx
from straightthrough._errors import DataError
from straightthrough.datasets import download, load
from straightthrough.datasets.official import CIFAR10_FILES, IDX_FILES

np = pytest.importorskip("numpy")


class Server:
    """A mirror on this machine; `cut` answers with the head of a file and then hangs up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        self.cut: set[str] = set()
        server = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *arguments: object) -> None:
                pass

            def do_GET(self) -> None:
                name = self.path.rsplit("/", 1)[-1]
                server.asked.append(name)
                if name not in server.cut:
                    return super().do_GET()
                content = (server.folder / name).read_bytes()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[:-7])
                return None

        handler = functools.partial(Handler, directory=str(folder))
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self.http.server_address[1]}/"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A mirror with MNIST, the addresses turned to it, and an empty cache."""
    folder = write_idx(tmp_path / "mirror", gzip.compress)
    server = Server(folder)
    monkeypatch.setenv("STRAIGHTTHROUGH_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setitem(download.SOURCES, "mnist", sources(server, *(f"{file}.gz" for file in IDX_FILES)))
    yield server
    server.http.shutdown()
    server.http.server_close()


def sources(server: Server, *files: str) -> tuple[download.Source, ...]:
    return tuple(
        download.Source(file, hashlib.md5((server.folder / file).read_bytes()).hexdigest(), (server.address,))
        for file in files
    )


def test_download_once(mirror: Server, tmp_path: Path) -> None:
    assert_parts(load("mnist"))
    assert mirror.asked == [f"{file}.gz" for file in IDX_FILES]
    assert_parts(load("mnist"))
    assert len(mirror.asked) == 4
    assert sorted(file.name for file in (tmp_path / "cache" / "mnist").iterdir()) == sorted(
        f"{f}.gz" for f in IDX_FILES
    )


@pytest.mark.parametrize("harm", ["cut", "swapped"])
def test_partial_or_wrong_download_is_never_used(mirror: Server, tmp_path: Path, harm: str) -> None:
    name = f"{IDX_FILES[2]}.gz"
    whole = (mirror.folder / name).read_bytes()
    if harm == "cut":
        mirror.cut.add(name)
    else:
        (mirror.folder / name).write_bytes(gzip.compress(idx(PARTS[2] ^ 1)))
    with pytest.raises(DataError, match=rf"could not download {name} of mnist .*{mirror.address}.*name their folder"):
        load("mnist")
    assert name not in [file.name for file in (tmp_path / "cache" / "mnist").iterdir()]
    mirror.cut.clear()
    (mirror.folder / name).write_bytes(whole)
    assert_parts(load("mnist"))
    assert len(mirror.asked) == 5  # what had arrived is not asked for again


def test_the_next_mirror_is_tried(mirror: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    two = tuple(s._replace(mirrors=(mirror.address + "gone/", *s.mirrors)) for s in download.SOURCES["mnist"])
    monkeypatch.setitem(download.SOURCES, "mnist", two)
    assert_parts(load("mnist"))


def test_damaged_cache_is_downloaded_again(mirror: Server, tmp_path: Path) -> None:
    load("mnist")
    path = tmp_path / "cache" / "mnist" / f"{IDX_FILES[0]}.gz"
    path.write_bytes(path.read_bytes()[:-3])
    assert_parts(load("mnist"))
    assert len(mirror.asked) == 5


def test_cifar10_is_downloaded_and_unpacked(mirror: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with tarfile.open(mirror.folder / "cifar-10-binary.tar.gz", "w:gz") as tar:
        for name in (*(f"cifar-10-batches-bin/{file}" for file in CIFAR10_FILES), "../escaped.bin"):
            content = cifar_records(4)[1]
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    monkeypatch.setitem(download.SOURCES, "cifar10", sources(mirror, "cifar-10-binary.tar.gz"))
    for _ in range(2):
        assert load("cifar10").x_train.shape == (20, 32, 32, 3)
    assert mirror.asked == ["cifar-10-binary.tar.gz"]
    assert not list(tmp_path.rglob("escaped.bin"))


def test_no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STRAIGHTTHROUGH_DATA", str(tmp_path))
    closed = tuple(source._replace(mirrors=("http://127.0.0.1:9/",)) for source in download.SOURCES["mnist"])
    monkeypatch.setitem(download.SOURCES, "mnist", closed)
    with pytest.raises(
        DataError, match=r"could not download train-images-idx3-ubyte.gz of mnist \(http://127.0.0.1:9/"
    ):
        load("mnist")


def test_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STRAIGHTTHROUGH_DATA", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert download.cache_folder() == Path("/somewhere/straightthrough/data")


def test_every_source_has_a_checksum_and_an_address() -> None:
    for name, files in download.SOURCES.items():
        assert name in download.PAGES
        for source in files:
            assert len(bytes.fromhex(source.md5)) == 16
            assert source.mirrors
            assert all(mirror.endswith("/") for mirror in source.mirrors)
