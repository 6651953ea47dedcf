"""`supervise run --reload`: what a change of files brings, and the line that tells of it."""

from __future__ import annotations

import re
import sys
from contextlib import asynccontextmanager

import pytest
import trio

import supervise
from supervise import _reload
from supervise._cli import main
from supervise._reload import reload_below, reload_on_change
from supervise.testing import run_until_idle
from tests.command_line import working_in
from tests.test_upgrade import TAKES_NONE, TAKES_PART, Files, node_of
from tests.trees import child, root


@pytest.fixture
def files(tmp_path):
    found = Files(tmp_path)
    found.write("counter", TAKES_PART, STEP=1)
    found.write("plain", TAKES_NONE, VERSION=1)
    return found


class Reloader:
    """A node with a reloader that is told by hand that something changed."""

    def __init__(self, node, changes, lines):
        self.node, self._changes, self._lines = node, changes, lines

    async def lines(self):
        """Something changed: the lines that come of it, without the folder."""
        self._lines.clear()
        await self._changes.send(None)
        await run_until_idle(self.node)
        return self.told

    @property
    def told(self):
        return [re.sub(r"\S+/app/", "app/", line) for line in self._lines]


@asynccontextmanager
async def reloader_of(files):
    async with (
        node_of(files) as node,
        trio.open_nursery() as nursery,
    ):
        send, receive = trio.open_memory_channel(0)
        lines = []
        nursery.start_soon(reload_on_change, node, receive, lines.append)
        yield Reloader(node, send, lines)
        nursery.cancel_scope.cancel()


async def test_nothing_new_is_no_news(files):
    async with reloader_of(files) as reloader:
        await reloader.node.spawn("app:plain")
        files.write("unused", "return {")
        assert await reloader.lines() == []


async def test_a_line_tells_what_was_upgraded_restarted_and_left(files):
    files.write("ends", "return function() process.upgrades():receive() error('no') end")
    async with reloader_of(files) as reloader:
        node = reloader.node
        await node.start(root(child("a", "app:plain"), max_restarts=0))
        alone = await node.spawn("app:plain")
        counters = [await node.spawn("app:counter", 0) for _ in range(2)]
        await node.spawn("app:ends")
        for name in ("plain", "counter", "ends"):
            files.write(name, TAKES_PART, STEP=5)
        (line,) = await reloader.lines()
        assert line.startswith("reloaded app/counter.lua, ")
        assert line.endswith(
            f"app/plain.lua: 2 upgraded, 1 restarted, 1 failed, "
            f"1 still runs the old version ({alone})"
        )
        assert [await node.call(pid, "add") for pid in counters] == [5, 5]


async def test_a_file_that_nothing_runs_is_new_for_the_next_one(files):
    files.write("once", "return function() return 1 end")
    async with reloader_of(files) as reloader:
        assert await reloader.node.exec("app:once") == 1
        files.write("once", "return function() return 2 end")
        assert await reloader.lines() == ["reloaded app/once.lua: nothing ran it"]
        assert await reloader.node.exec("app:once") == 2


async def test_a_fault_is_told_once_and_keeps_nothing_else_from_being_loaded(files):
    async with reloader_of(files) as reloader:
        node = reloader.node
        plain, counter = await node.spawn("app:plain"), await node.spawn("app:counter", 0)
        files.write("plain", "\nreturn {")
        (line,) = await reloader.lines()
        assert "app/plain.lua:2: " in line
        assert line.endswith("; the old version runs on")
        assert await reloader.lines() == []
        files.write("counter", TAKES_PART, STEP=5)
        assert await reloader.lines() == ["reloaded app/counter.lua: 1 upgraded"]
        assert await node.call(counter, "add") == 5
        assert await node.call(plain, "?") == 1
        assert await node.call(await node.spawn("app:plain"), "?") == 1
        files.write("plain", "\nreturn { ")
        assert len(await reloader.lines()) == 1
        files.write("plain", TAKES_NONE, VERSION=1)
        assert await reloader.lines() == []


async def test_a_module_reaches_all_who_require_it_or_nobody(files):
    files.write("step", "return { step = 1 }")
    for name in ("one", "two"):
        files.write(name, TAKES_PART, STEP="require('app.step').step")
    async with reloader_of(files) as reloader:
        node = reloader.node
        pids = [await node.spawn(f"app:{name}", 0) for name in ("one", "two", "counter")]
        assert [await node.call(pid, "add") for pid in pids] == [1, 1, 1]
        files.write("step", "return { by = 10 }")
        files.write("one", "local by = require('app.step').by\n" + TAKES_PART, STEP="by")
        files.write("two", "local by = assert(require('app.step').to)\n" + TAKES_PART, STEP="by")
        files.write("counter", TAKES_PART, STEP="10")
        fault, loaded = await reloader.lines()
        assert fault.startswith("not reloaded: app/two.lua:1: ")
        assert loaded == "reloaded app/counter.lua: 1 upgraded"
        assert [await node.call(pid, "add") for pid in pids] == [2, 2, 11]
        files.write("two", TAKES_PART, STEP="require('app.step').by")
        (line,) = await reloader.lines()
        assert line.endswith("app/two.lua: 2 upgraded")
        assert [await node.call(pid, "add") for pid in pids] == [12, 12, 21]


async def test_a_faulty_module_that_nobody_runs_is_told_of_too(files):
    files.write("lib", "return 1")
    files.write("once", "require('app.lib') return function() return require('app.lib') end")
    async with reloader_of(files) as reloader:
        assert await reloader.node.exec("app:once") == 1
        files.write("lib", "\n\nerror('bad')")
        assert await reloader.lines() == [
            "not reloaded: app/lib.lua:3: bad; the old version runs on"
        ]
        assert await reloader.node.exec("app:once") == 1


async def test_a_file_that_is_gone_changes_nothing(files):
    async with reloader_of(files) as reloader:
        pid = await reloader.node.spawn("app:plain")
        (files.folder / "app" / "plain.lua").unlink()
        assert await reloader.lines() == []
        assert await reloader.node.call(pid, "?") == 1
        assert await reloader.node.spawn("app:plain")


async def test_the_line_does_not_wait_for_ever_for_who_was_asked(files):
    files.write("slow", "return function() process.upgrades() time.sleep('1h') end")
    async with reloader_of(files) as reloader:
        pid = await reloader.node.spawn("app:slow")
        files.write("slow", "return function() end")
        assert await reloader.lines() == []
        await trio.sleep(_reload.PATIENCE + 0.1)
        assert reloader.told == [f"reloaded app/slow.lua: 1 still runs the old version ({pid})"]


# The command

TREE = """
id = "shop"
[[children]]
id = "till"
start = { lua = "app:till" }
"""


def written(*versions):
    """A watcher: each version of the file is written, and has its second."""

    async def watch(roots):
        (root,) = roots
        for text in versions:
            await trio.sleep(1)
            (root / "app" / "till.lua").write_text(text)
            yield
        await trio.sleep_forever()

    return watch


OLD = """
return function()
  print("old")
  local upgrades = process.upgrades()
  process.upgrade(upgrades:receive(), "its state")
end
"""
NEW = "return function(state) print('new', state) error('enough', 0) end"


@pytest.mark.parametrize("target", ["tree.toml", "app:till", "shop"])
def test_a_run_reloads_and_says_so(tmp_path, monkeypatch, capfd, target):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "till.lua").write_text(OLD)
    (tmp_path / "tree.toml").write_text(TREE)
    (tmp_path / "shop.py").write_text(
        "from supervise import ChildSpec, Restart, SupervisorSpec, lua\n"
        "SPEC = SupervisorSpec('shop', children=[ChildSpec('till', lua('app:till'))])"
    )
    monkeypatch.setattr(_reload, "can_watch", lambda: True)
    monkeypatch.setattr(_reload, "watch", written("return {", NEW))
    with working_in(tmp_path, monkeypatch):
        assert main(["run", target, "--reload"]) == 1
    shown = capfd.readouterr()
    printed = [line.split("} ", 1)[1] for line in shown.out.splitlines()]
    assert printed[:2] == ["old", "new\tits state"]
    told = shown.err.splitlines()
    assert told[0].startswith("not reloaded: app/till.lua:1: ")
    assert "reloaded app/till.lua: 1 upgraded" in told


def test_a_module_with_a_main_cannot_be_reloaded(tmp_path, monkeypatch, capfd):
    (tmp_path / "shop.py").write_text("async def main(): print('runs')")
    monkeypatch.setattr(_reload, "can_watch", lambda: True)
    with working_in(tmp_path, monkeypatch):
        assert main(["run", "shop", "--reload"]) == 2
    assert "--reload is for trees and Lua entries" in capfd.readouterr().err


def test_without_a_watcher_it_says_what_to_install(tmp_path, monkeypatch, capfd):
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with working_in(tmp_path, monkeypatch):
        assert main(["run", "app:till", "--reload"]) == 2
    assert "pip install 'supervise-lua[reload]'" in capfd.readouterr().err


def test_a_run_without_it_needs_no_watcher(tmp_path, monkeypatch):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "till.lua").write_text("return function() end")
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with working_in(tmp_path, monkeypatch):
        assert main(["run", "app:till"]) == 0


def test_files_are_watched_for_real(tmp_path):
    pytest.importorskip("watchfiles", reason="the extra `reload` is not installed")
    (tmp_path / "app").mkdir()
    path = tmp_path / "app" / "till.lua"
    path.write_text(OLD)
    lines, seen = [], trio.Event()

    def tell(line):
        lines.append(line)
        seen.set()

    async def write_until_seen(nursery):
        # Nobody says when watching has begun.
        for version in range(1000):
            path.write_text(f"return function() channel.new():receive() end -- {version}")
            with trio.move_on_after(0.2):
                await seen.wait()
                nursery.cancel_scope.cancel()

    async def run():
        with trio.fail_after(20):
            async with supervise.open_node(tmp_path, output=lambda *_: None) as node:
                await node.spawn("app:till")
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(reload_below, node, [tmp_path], tell)
                    nursery.start_soon(write_until_seen, nursery)

    trio.run(run)
    assert lines[0].endswith("app/till.lua: 1 upgraded")
