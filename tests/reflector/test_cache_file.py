"""kube_reflect.reflector.cache_file: a cache in a file, and who may begin with it."""

from __future__ import annotations

import errno
import json
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kube_reflect.events import Apply
from kube_reflect.reflector import cache_file as module
from kube_reflect.reflector.cache_file import DIGEST, MAGIC, BadFile, CacheFile
from kube_reflect.store import Cache, NamespaceWriter

from tests.support.objects import pod
from tests.support.cache_file_helpers import (
    COMMON, LABELS, OF, contents, filled, new_cache, read_back, sealed,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pods"


def by_name(obj: Any) -> list[str]:
    return [obj["metadata"]["name"]]


def restored(path: Path, *namespaces: str | None, **options: Any) -> Cache:
    cache = new_cache(**options)
    found = CacheFile(path, cache).load(OF)
    assert found is not None
    for namespace in namespaces or (None,):
        version, entries = found.namespaces[namespace]
        NamespaceWriter(cache, namespace).restore(entries, version)
    return cache


def test_all_comes_back_and_is_not_complete(path: Path) -> None:
    before = filled(indexers={"name": by_name})
    assert CacheFile(path, before).save(OF)
    cache = restored(path, indexers={"name": by_name})
    assert contents(cache) == contents(before) and len(cache.entries) == 100
    assert cache.counters == before.counters
    assert cache.counters.resource_version == "1000"
    assert list(cache.table.indexes["name"]["pod-7"]) == [("ns", "pod-7")]
    assert cache.ref(("ns", "pod-7")).resource == before.resource
    # To be read, though it is to be confirmed.
    assert not cache.unlisted and not cache.ready
    labels = [entry.labels for entry in cache.table.entries.values()]
    assert all(one is labels[0] for one in labels) and labels[0] == LABELS


def test_what_follows_is_packed_with_the_same_dictionary(path: Path) -> None:
    before = filled()
    assert before.maker.compressor.dictionaries()
    CacheFile(path, before).save(OF)
    cache = restored(path)
    writer = NamespaceWriter(cache)
    alike = pod("new", "ns", "2000", text=COMMON)
    writer.apply(Apply(alike))
    assert len(cache.table.entries["ns", "new"].packed) < 150
    CacheFile(path, cache).save(OF)
    again = restored(path)
    assert contents(again) == contents(cache)
    writer = NamespaceWriter(again)
    for number in range(2000):
        writer.apply(Apply(pod(f"more-{number}", "ns", "3000", text=f"{number}" * 99)))
    CacheFile(path, again).save(OF)
    assert contents(restored(path)) == contents(again)


def test_several_namespaces_have_their_versions(path: Path) -> None:
    before = filled(3, namespaces=("a", "b"))
    CacheFile(path, before).save(OF)
    found = CacheFile(path, new_cache()).load(OF)
    assert found is not None
    assert {name: (version, len(entries)) for name, (version, entries)
            in found.namespaces.items()} == {"a": ("1000", 3), "b": ("1001", 3)}
    cache = restored(path, "a", "b")
    assert contents(cache) == contents(before) and cache.versions == before.versions


def test_a_confirmed_cache_is_ready(path: Path) -> None:
    CacheFile(path, filled()).save(OF)
    cache = new_cache()
    found = CacheFile(path, cache).load(OF)
    assert found is not None
    writer = NamespaceWriter(cache)
    version, entries = found.namespaces[None]
    writer.restore(entries, version)
    writer.apply(Apply(pod("new", "ns", "1001")))
    assert not cache.ready
    writer.confirm()
    assert cache.ready and cache.counters.resource_version == "1001"
    assert cache.counters.relists == 0


def test_without_a_version_nothing_is_written(path: Path) -> None:
    assert not CacheFile(path, new_cache()).save(OF)
    assert not path.exists()


def test_nobody_else_may_read_it_at_any_moment(path: Path, monkeypatch: pytest.MonkeyPatch
                                               ) -> None:
    modes = []
    replace = os.replace

    def look(old: str, new: Path) -> None:
        modes.append(stat.S_IMODE(os.stat(old).st_mode))
        replace(old, new)

    monkeypatch.setattr(os, "replace", look)
    before = os.umask(0)
    try:
        CacheFile(path, filled(2)).save(OF)
    finally:
        os.umask(before)
    assert modes == [0o600] and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_disk_that_is_full_leaves_the_file_before(path: Path, monkeypatch: pytest.MonkeyPatch
                                                    ) -> None:
    CacheFile(path, filled(2)).save(OF)
    content = path.read_bytes()

    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        CacheFile(path, filled(3)).save(OF)
    assert path.read_bytes() == content and list(path.parent.iterdir()) == [path]


def test_a_link_is_neither_followed_nor_written_through(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    CacheFile(other, filled(2)).save(OF)
    content = other.read_bytes()
    path.symlink_to(other)
    with pytest.raises(OSError):
        CacheFile(path, new_cache()).load(OF)
    CacheFile(path, filled(3)).save(OF)
    assert not path.is_symlink() and other.read_bytes() == content


def test_what_is_no_file_is_refused_at_once(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(BadFile, match="no regular file"):
        CacheFile(path, new_cache()).load(OF)
    path.unlink()
    assert CacheFile(path, new_cache()).load(OF) is None


def test_another_users_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    CacheFile(path, filled(2)).save(OF)
    monkeypatch.setattr(os, "geteuid", lambda: 4711 + path.stat().st_uid)
    with pytest.raises(BadFile, match="another user"):
        CacheFile(path, new_cache()).load(OF)


def test_leftovers_are_removed_when_they_are_old(path: Path, tmp_path: Path) -> None:
    old, new, other = (tmp_path / name for name in (".pods.x.tmp", ".pods.y.tmp", ".other.x.tmp"))
    for one in (old, new, other):
        one.write_bytes(b"")
    for one in (old, other):
        os.utime(one, (time.time() - 7200,) * 2)
    CacheFile(path, new_cache()).remove_leftovers()
    assert not old.exists() and new.exists() and other.exists()


def parts_of(path: Path) -> tuple[dict[str, Any], bytes]:
    """Return the head of a file, and what follows it."""
    content = path.read_bytes()[len(MAGIC):-DIGEST]
    length = int.from_bytes(content[:4], "big")
    return json.loads(content[4:4 + length]), content[4 + length:]


def with_head(head: Any, rest: bytes) -> bytes:
    content = json.dumps(head).encode() if not isinstance(head, bytes) else head
    return sealed(MAGIC + len(content).to_bytes(4, "big") + content + rest)


BAD_HEADS: list[tuple[str, Any]] = [
    ("it is of another server", {"of": {**OF, "server": "https://there"}}),
    ("it is of another shard", {"of": {**OF, "shard": "1"}}),
    ("compressed by 'lzma'", {"compression": "lzma"}),
    ("ends too early", {"namespaces": [[None, "1", 10**30]]}),
    ("more than it says", {"namespaces": [[None, "1", 2]]}),
    ("more than it says", {"namespaces": [[None, "1", -1]]}),
    ("its head is damaged", {"namespaces": [[None, "1", True]]}),
    ("its head is damaged", {"namespaces": [["a", "1", 1], ["a", "1", 1]]}),
    ("its head is damaged", {"namespaces": [[None, "1", 1], ["a", "1", 1]]}),
    ("its head is damaged", {"namespaces": [[None, "", 3]]}),
    ("its head is damaged", {"namespaces": [[None, 1, 3]]}),
    ("its head is damaged", {"namespaces": 5}),
    ("its head is damaged", {"dictionaries": "many"}),
    ("its head is damaged", {"at": "noon"}),
    ("its head is damaged", {"of": []}),
    ("does not belong", {"namespaces": [["other", "1", 3]]}),
    ("bytes|early|dictionaries", {"dictionaries": 2**70}),
]


@pytest.mark.parametrize("why, changes", BAD_HEADS, ids=range(len(BAD_HEADS)))
def test_a_head_is_not_believed(path: Path, why: str, changes: dict[str, Any]) -> None:
    CacheFile(path, filled(3)).save(OF)
    head, rest = parts_of(path)
    assert read_back(with_head(head, rest)) is not None
    cache = new_cache()
    compressor = cache.maker.compressor
    with pytest.raises(BadFile, match=why):
        read_back(with_head({**head, **changes}, rest), cache)
    assert not cache.maker.compressor.dictionaries() and cache.resource is None
    assert type(cache.maker.compressor) is type(compressor)


@pytest.mark.parametrize("head", [b"", b"[]", b"{", b"[" * 100_000, b"{\"at\":" + b"9" * 9999,
                                  b"\xff\xfe", b"{}"])
def test_a_head_that_cannot_be_read(head: bytes) -> None:
    with pytest.raises(BadFile, match="head"):
        read_back(with_head(head, b""))


@pytest.fixture
def whole(path: Path) -> Iterator[bytes]:
    CacheFile(path, filled(40)).save(OF)
    yield path.read_bytes()


def test_every_cut_is_found(whole: bytes) -> None:
    for end in (0, 1, len(MAGIC), len(MAGIC) + DIGEST, len(whole) // 2, len(whole) - 1):
        with pytest.raises(BadFile):
            read_back(whole[:end])
        with pytest.raises(BadFile):
            read_back(sealed(whole[:end]))


def test_another_format_is_passed_over(whole: bytes) -> None:
    content = whole[:-DIGEST].replace(b"cache 2\n", b"cache 1\n", 1)
    with pytest.raises(BadFile, match="version"):
        read_back(sealed(content))


def test_a_file_of_any_length_is_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with path.open("wb") as file:
        # It takes no room.
        file.truncate(module.LONGEST_FILE + 1)
    with pytest.raises(BadFile, match="bytes"):
        CacheFile(path, new_cache()).load(OF)


def test_a_bomb_is_refused_before_it_is_unpacked(path: Path) -> None:
    cache = filled(1)
    bomb = pod("bomb", "ns", "7", text="0" * (65 << 20))
    NamespaceWriter(cache).apply(Apply(bomb))
    CacheFile(path, cache).save(OF)
    assert path.stat().st_size < 1 << 20
    with pytest.raises(BadFile, match="so much is not in so few"):
        CacheFile(path, new_cache()).load(OF)


def test_many_small_bombs_are_refused_together(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SPARE", 1 << 20)
    monkeypatch.setattr(module, "_RATIO", 1)
    cache = filled(1)
    for number in range(9):
        NamespaceWriter(cache).apply(Apply(pod(f"b{number}", "ns", "7", text="0" * (1 << 18))))
    CacheFile(path, cache).save(OF)
    with pytest.raises(BadFile, match="so much is not in so few"):
        CacheFile(path, new_cache()).load(OF)


def test_it_gives_up_when_it_is_told_to(path: Path) -> None:
    CacheFile(path, filled()).save(OF)
    cache = new_cache()
    assert CacheFile(path, cache).load(OF, stopped=lambda: True) is None
    assert not cache.maker.compressor.dictionaries()
