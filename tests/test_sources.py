"""Where entries and modules come from, and what is refused."""

from __future__ import annotations

import pytest

from supervise import Entry, SourceError
from supervise._sources import Sources


def put(root, path, text="return 1"):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_an_entry_is_a_file_below_the_first_root_that_has_it(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    put(one, "app/jobs/mail.lua", "first")
    put(two, "app/jobs/mail.lua", "second")
    put(two, "app/jobs/other.lua", "other")
    sources = Sources([one, two])
    assert sources.entry("app.jobs:mail").text == b"first"
    assert sources.entry("app.jobs:other").text == b"other"


def test_a_module_is_a_file_or_the_init_of_a_folder(tmp_path):
    put(tmp_path, "a/b.lua", "file")
    put(tmp_path, "c/init.lua", "folder")
    sources = Sources([tmp_path])
    assert sources.module("a.b").text == b"file"
    assert sources.module("c").text == b"folder"


def test_what_is_mapped_wins_over_files(tmp_path):
    put(tmp_path, "a/b.lua", "file")
    other = put(tmp_path, "other.lua", "other")
    mapped = {"a:b": Entry(text="text", main="run"), "c": other}
    sources = Sources([tmp_path], mapped)
    assert (sources.entry("a:b").text, sources.entry("a:b").main) == (b"text", "run")
    assert sources.entry("c").text == b"other"


@pytest.mark.parametrize(
    "name",
    ["", "a", ":", "a:", ":b", "../a:b", "a:../b", "a/b:c", "a..b:c", "a:b\n", "a:b\0", "/a:b"],
)
def test_names_that_could_reach_elsewhere_are_refused(name, tmp_path):
    with pytest.raises(SourceError, match="invalid entry") as caught:
        Sources([tmp_path]).entry(name)
    assert caught.value.kind == "Invalid"


@pytest.mark.parametrize("name", ["", "..", "../a", "a/b", "a..b", "a:b", "a\0"])
def test_modules_that_could_reach_elsewhere_are_refused(name, tmp_path):
    with pytest.raises(SourceError, match="invalid module name"):
        Sources([tmp_path]).module(name)


@pytest.mark.parametrize("name", ["no:such", "x" * 300 + ":y", "folder:it"])
def test_what_cannot_be_read_is_not_found(name, tmp_path):
    (tmp_path / "folder" / "it.lua").mkdir(parents=True)
    with pytest.raises(SourceError, match="entry not found") as caught:
        Sources([tmp_path]).entry(name)
    assert caught.value.kind == "NotFound"
