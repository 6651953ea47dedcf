"""The Lua module `supervisor`: the same calls from a Lua process, with tables and error objects."""

from __future__ import annotations

import pytest

from supervise import ChildSpec, DynamicSupervisorSpec, RestartIntensityError, task
from supervise.testing import run_until_idle
from tests.programs import lua
from tests.trees import child, forever, root, state, trees_node


def ask(call):
    """A program that makes one call and returns its value, or the kind and text of its error."""
    return lua(
        f"local value, err, info = {call} "
        "return {value = value, info = info, kind = err and err:kind(), "
        "text = err and tostring(err)}"
    )


CALLS = [
    ("supervisor.start_child('top', {id = 'n', start = {lua = 't:wait'}})", None, None),
    ("supervisor.start_child('pool', {start = {lua = 't:wait', args = {}}})", None, None),
    ("supervisor.start_child('top', {id = 'in', children = {}})", None, None),
    (
        "supervisor.start_child('top', {id = 'a', start = {lua = 't:wait'}})",
        "AlreadyExists",
        "'a' already",
    ),
    ("supervisor.start_child('full', {start = {lua = 't:wait'}})", "RateLimited", "max_children"),
    ("supervisor.start_child('top', {id = 'n', strat = 1})", "Invalid", "did you mean 'start'"),
    ("supervisor.start_child('top', {start = {lua = 't:wait'}})", "Invalid", "id: is missing"),
    ("supervisor.start_child('top', {})", "Invalid", "start: is missing"),
    ("supervisor.start_child('top', {1, 2})", "Invalid", "must be a ChildSpec"),
    ("supervisor.start_child('pool', {1, 2})", "Invalid", "must be a ChildSpec"),
    ("supervisor.start_child('pool', {start = 1})", "Invalid", "must be lua"),
    (
        "supervisor.start_child('top', {id = 'n', start = {task = 'os:getcwd'}})",
        "PermissionDenied",
        "Python",
    ),
    (
        "supervisor.start_child('top', {id = 'x', children = {{id = 'n', start = {task = 'a'}}}})",
        "PermissionDenied",
        "Python",
    ),
    (
        "supervisor.start_child('top', {id = 'n', start = {lua = 's:zz'}})",
        "NotFound",
        "entry not found",
    ),
    (
        "supervisor.start_child('top', {id = 'n', start = {lua = 't:wait'}, f = print})",
        "Invalid",
        "spec.f: function cannot be sent",
    ),
    ("supervisor.start_child('nobody', {})", "NotFound", "nobody"),
    ("supervisor.start_child('nobody', {f = print})", "NotFound", "nobody"),
    ("supervisor.start_child('worker', {f = print})", "Invalid", "spec.f: function cannot be sent"),
    ("supervisor.stop('worker')", "Invalid", "not a supervisor"),
    ("supervisor.terminate_child('top', 'a')", None, None),
    ("supervisor.terminate_child('top', 'z')", "NotFound", "no child 'z'"),
    ("supervisor.restart_child('top', 'a')", "Conflict", "is running"),
    ("supervisor.restart_child('top', 's')", None, None),
    ("supervisor.restart_child('pool', 's')", "Invalid", "dynamic"),
    ("supervisor.delete_child('top', 's')", None, None),
    ("supervisor.delete_child('top', 'a')", "Conflict", "is running"),
    ("supervisor.which_children('top')", None, None),
    ("supervisor.count_children('top')", None, None),
    ("supervisor.get_child_spec('top', 'a')", None, None),
    ("supervisor.get_child_spec('top', 'z')", "NotFound", "no child 'z'"),
    ("supervisor.get_child_spec('top', 'p')", None, None),
    ("supervisor.stop('pool')", None, None),
]  # fmt: skip


async def opened(node):
    tree = await node.start(
        root(
            child("a"),
            child("s"),
            child("worker"),
            ChildSpec("p", task(forever)),
            DynamicSupervisorSpec("pool", name="pool"),
            DynamicSupervisorSpec("full", name="full", max_children=0),
            name="top",
        )
    )
    await tree.terminate_child("s")
    return tree


@pytest.mark.parametrize(("call", "kind", "words"), CALLS)
async def test_a_call_gives_a_value_or_an_error_with_its_kind(call, kind, words):
    async with trees_node(entries={"u:ask": ask(call)}) as node:
        await opened(node)
        answer = await node.exec("u:ask")
        assert answer.get("kind") == kind, answer
        if kind is None:
            assert answer["value"]
        else:
            assert words in answer["text"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("supervisor.start_child(nil, {})", "bad argument #1 to 'start_child' (string expected"),
        ("supervisor.start_child('top')", "bad argument #2 to 'start_child' (table expected"),
        ("supervisor.stop(5)", "bad argument #1 to 'stop' (string expected, got number)"),
        ("supervisor.delete_child('top', {})", "bad argument #2 to 'delete_child'"),
        ("rawset(supervisor, 'stop', 1)", "protected table"),
    ],
)
async def test_misuse_raises(call, words):
    program = lua(f"local ok, err = pcall(function() {call} end) return tostring(err)")
    async with trees_node(entries={"u:ask": program}) as node:
        await node.start(root(name="top"))
        assert words in await node.exec("u:ask")


async def test_what_a_process_sees_of_a_supervisor():
    program = lua("""
        assert(require("supervisor") == supervisor)
        local list, out = supervisor.which_children("top"), {}
        for i, row in ipairs(list) do out[i] = row.id .. " " .. row.state .. " " .. row.type end
        local counts = supervisor.count_children("top")
        return {list = out, specs = counts.specs, active = counts.active,
                spec = supervisor.get_child_spec("top", "a")}""")
    async with trees_node(entries={"u:look": program}) as node:
        await opened(node)
        seen = await node.exec("u:look")
        assert seen["list"][:2] == ["a running worker", "s stopped worker"]
        assert seen["list"][4] == "pool running supervisor"
        assert (seen["specs"], seen["active"]) == (6, 5)
        assert seen["spec"] == {"id": "a", "start": {"lua": "t:wait"}, "name": "a"}


async def test_the_value_of_started_reaches_a_lua_starter():
    program = ask("supervisor.start_child('top', {id='n', start={lua='u:ready'}, ready=true})")
    ready = lua("process.started({port = 80}) process.events():receive()")
    async with trees_node(entries={"u:ask": program, "u:ready": ready}) as node:
        tree = await node.start(root(name="top"))
        answer = await node.exec("u:ask")
        assert answer["info"] == {"port": 80}
        assert answer["value"] == tree.which_children()["n"].pid


async def test_a_process_can_run_a_pool_and_survives_what_happens_to_it():
    program = lua("""
        local pids = {}
        for i = 1, 50 do
          pids[i] = assert(supervisor.start_child("pool", {start = {lua = "t:add", args = {i, i}},
                                                           restart = "temporary"}))
        end
        return #pids""")
    async with trees_node(entries={"u:run": program}) as node:
        tree = await node.start(root(DynamicSupervisorSpec("pool", name="pool")))
        assert await node.exec("u:run") == 50
        await run_until_idle(node)
        assert tree.which_children()["pool"].pid == node.whereis("pool")
        assert node.supervisor("pool").which_children() == {}


@pytest.mark.parametrize("verb", ["stop('top')", "terminate_child('top', 'me')"])
async def test_a_child_may_stop_itself_or_its_own_supervisor(verb):
    """Decision 13."""
    program = lua(f"process.inbox():receive() supervisor.{verb} error('not reached')")
    async with trees_node(entries={"u:suicide": program}) as node:
        tree = await node.start(root(child("a"), child("me", "u:suicide"), name="top"))
        node.send("me", "go")
        await run_until_idle(node)
        assert node.whereis("me") is None
        assert state(tree, "me") == (None if verb.startswith("stop") else "stopped")


async def test_a_caller_whose_supervisor_gives_up_is_answered():
    """Invariant 36: every call is answered."""
    program = ask("supervisor.start_child('top', {id='n', start={lua='s:never'}, ready=true})")
    with pytest.raises(RestartIntensityError):
        async with trees_node(entries={"u:ask": program}) as node:
            await node.start(root(child("b", "s:told"), name="top", max_restarts=0))
            pid = await node.spawn("u:ask")
            await run_until_idle(node)
            node.send("b", "x", "boom")
            assert (await node.wait_exit(pid)).result["kind"] == "Unavailable"
