"""An archive of strangers is read into memory, and nothing in it leads out."""

from __future__ import annotations

import gzip
import io
import tarfile
import time
import zipfile
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.errors import DocumentError
from loopgraph_git.library.unpack import is_tar, unpacked, unpacked_zip, unzipped


def tarball(*members: tuple[str, bytes | tarfile.TarInfo], mode: str = "w:gz") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, content in members:
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def link(
    name: str, to: str, kind: bytes = tarfile.SYMTYPE
) -> tuple[str, tarfile.TarInfo]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return name, info


def test_files_are_read_by_their_path():
    for mode in ("w:gz", "w"):
        data = tarball(("main.tex", b"x"), ("sec/a.tex", b"y"), mode=mode)
        found = unpacked(data, "paper.tar.gz")
        assert found.files == {"main.tex": b"x", "sec/a.tex": b"y"}
        assert found.left_out == ()


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def test_a_zip_is_held_to_the_same_rules():
    to = zipfile.ZipInfo("to")
    to.external_attr = 0o120777 << 16
    data = zipped(
        ("sec/a.tex", b"y"), ("../evil.tex", b"x"), ("/etc/p", b"x"), (to, b"/etc/p")
    )
    found = unpacked_zip(data, "paper.zip")
    assert found.files == {"sec/a.tex": b"y"}
    assert found.left_out == (
        "../evil.tex: a path out of its folder",
        "/etc/p: an absolute path",
        "to: a link",
    )
    for broken in (data[:-30], data[:40], b"PK\x03\x04"):
        with pytest.raises(DocumentError, match="damaged"):
            unpacked_zip(broken, "paper.zip")
    with pytest.raises(DocumentError, match=r"holds no file .*to: a link"):
        unpacked_zip(zipped((to, b"x")), "paper.zip")
    bomb = zipped(("a", bytes((64 << 20) + 1)), ("b", b"x"))
    assert unpacked_zip(bomb, "z").left_out == ("a: larger than 64 MB",)


def test_a_zip_with_a_byte_that_is_wrong_is_read_or_refused():
    data = zipped(("main.tex", b"some text"), ("a.tex", b"y"))
    for at in range(len(data)):
        for byte in (0, 1, 0x20, 0xFF):
            with suppress(DocumentError):
                unpacked_zip(data[:at] + bytes([byte]) + data[at + 1 :], "paper.zip")


def test_what_leads_out_is_left_out_by_name():
    data = tarball(
        ("good.tex", b"x"),
        ("../evil.tex", b"x"),
        ("a/../../evil.tex", b"x"),
        ("/etc/passwd", b"x"),
        ("..\\evil.tex", b"x"),
        link("to", "/etc/passwd"),
        link("hard", "good.tex", tarfile.LNKTYPE),
        link("pipe", "", tarfile.FIFOTYPE),
        link("dev", "", tarfile.CHRTYPE),
    )
    found = unpacked(data, "paper.tar.gz")
    assert list(found.files) == ["good.tex"]
    assert found.left_out == (
        "../evil.tex: a path out of its folder",
        "a/../../evil.tex: a path out of its folder",
        "/etc/passwd: an absolute path",
        "..\\evil.tex: a path out of its folder",
        "to: a link",
        "hard: a link",
        "pipe: not a plain file",
        "dev: not a plain file",
    )


def test_a_bomb_is_refused_before_it_is_unpacked():
    # 3 GB of zeros, as several files one after the other
    data = gzip.compress(bytes(1 << 20)) * 3000
    started = time.process_time()
    with pytest.raises(DocumentError, match="bomb unpacks to more than 8 MB"):
        unzipped(data, "bomb", limit=8 << 20)
    assert time.process_time() - started < 1


def test_an_archive_of_links_alone_says_why_it_is_refused():
    with pytest.raises(DocumentError, match=r"holds no file .* \(a: a link\)"):
        unpacked(tarball(link("a", "b")), "paper.tar")


@given(
    st.binary(max_size=700) | st.binary(max_size=60).map(lambda x: b"\x1f\x8b\x08" + x)
)
def test_any_bytes_are_an_archive_or_the_one_error(data):
    for made in (data, gzip.compress(data), tarball(("a", data))[:-9]):
        with suppress(DocumentError):
            assert unpacked(made, "x").files
    assert not is_tar(b"\0" * 1024)
    assert is_tar(tarball(("a", data), mode="w"))
