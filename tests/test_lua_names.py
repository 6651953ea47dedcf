"""Names of processes, as Lua sees them."""

from __future__ import annotations

import pytest

from tests.lua_world import HOST, run

pytestmark = pytest.mark.wander

LOCALS = f"""
  local names = process.registry
  local function spawn(...) return process.spawn("app:other", "{HOST}", ...) end
"""
WAITS = "process.inbox():receive()"


def refused(call, other=WAITS):
    """The kind and the text of the error beside nil."""
    body = f"{LOCALS} local other = spawn() time.sleep('1s') names.register('mine')"
    body += f" local ok, err = {call} assert(ok == nil) return {{err:kind(), tostring(err)}}"
    return run(body, other=other)


def test_a_name_is_for_oneself_or_for_another_process():
    body = """
      local other, me = spawn(), process.pid()
      return {names.register("mine"), names.register("mine"), names.register("mine", me),
              names.register("theirs", other), names.register("theirs too", other, names.LOCAL),
              names.lookup("mine") == me, names.lookup("theirs") == other,
              names.lookup("theirs too") == other}
    """
    assert run(LOCALS + body, other=WAITS) == [True] * 8


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        ("names.register('mine', other)", "AlreadyExists", '"mine"'),
        ("names.register('x', '{app:processes|0x99999}')", "NotFound", "0x99999}"),
        ("names.register('x', 'mine')", "Invalid", '"mine"'),
        ("names.register('x', '')", "Invalid", '""'),
        ("names.register('')", "Invalid", '""'),
        ("names.register('@x')", "Invalid", '"@x"'),
        ("names.register('{a|b}')", "Invalid", '"{a|b}"'),
        ("names.register('x', other, names.EVENTUAL)", "Invalid", "cluster"),
        ("names.register('x', other, names.CONSISTENT)", "Invalid", "cluster"),
        ("names.register('x', other, names.STRONG)", "Invalid", "cluster"),
        ("names.unregister('mine', names.STRONG)", "Invalid", "cluster"),
        ("names.lookup('nobody')", "NotFound", '"nobody"'),
        ("names.lookup('')", "NotFound", '""'),
        ("names.lookup(other)", "NotFound", "0x"),
    ],
)
def test_what_cannot_be_named_or_found_is_refused(call, kind, words):
    found, text = refused(call)
    assert found == kind
    assert words in text


def test_a_process_that_has_ended_gets_no_name():
    assert refused("names.register('x', other)", other="return 1")[0] == "NotFound"


def test_anyone_may_release_a_name():
    body = """
      local other = spawn()
      names.register("theirs", other)
      return {names.unregister("theirs"), names.unregister("theirs"), names.lookup("theirs") == nil,
              names.register("theirs"), names.unregister("theirs", names.LOCAL),
              names.unregister("never was")}
    """
    assert run(LOCALS + body, other=WAITS) == [True, False, True, True, True, False]


@pytest.mark.parametrize("end", ["return 1", "error('x')", "process.terminate(process.pid())"])
def test_all_names_are_free_when_their_holder_ends(end):
    body = """
      local other = spawn(process.pid())
      process.monitor(other)
      names.register("c", other)
      process.events():receive()
      local free = {}
      for i, name in ipairs{"a", "b", "c"} do
        free[i] = names.lookup(name) == nil and names.register(name)
      end
      return free
    """
    other = f"process.registry.register('a') process.registry.register('b') time.sleep('1s') {end}"
    assert run(LOCALS + body, other=other) == [True, True, True]


def test_a_name_is_resolved_once_at_the_call():
    body = """
      local first, second = spawn("first"), spawn("second")
      names.register("n", first)
      process.monitor("n")
      process.send("n", "to first")
      names.unregister("n")
      names.register("n", second)
      process.send("n", "to second")
      local inbox, heard = process.inbox(), {}
      process.send(first, "tell", process.pid())
      process.send(second, "tell", process.pid())
      for i = 1, 2 do local msg = inbox:receive() heard[msg:topic()] = msg:payload() end
      return {heard.first, heard.second, process.events():receive().from == first}
    """
    other = """
      local inbox = process.inbox()
      local topic = inbox:receive():topic()
      process.send(inbox:receive():payload(), ..., topic)
    """
    assert run(LOCALS + body, other=other) == ["to first", "to second", True]


def test_every_function_takes_a_name_where_it_takes_a_pid():
    body = """
      process.set_options{trap_links = true}
      names.register("n", spawn(process.pid()))
      local done = {process.monitor("n"), process.link("n"), process.send("n", "t"),
                    process.cancel("n"), process.terminate("n")}
      done[6], done[7] = process.events():receive().kind, process.events():receive().kind
      return done
    """
    expected = [True, True, True, True, True, "EXIT", "LINK_DOWN"]
    assert run(LOCALS + body, other="while true do process.inbox():receive() end") == expected


def test_the_scopes_are_four_different_constants():
    body = """
      local seen, n = {}, 0
      for _, key in ipairs{"LOCAL", "EVENTUAL", "CONSISTENT", "STRONG"} do
        local scope = names[key]
        if type(scope) == "string" and not seen[scope] then seen[scope], n = true, n + 1 end
      end
      return n
    """
    assert run(LOCALS + body) == 4


def test_a_name_may_be_any_other_text():
    body = r"""
      local done = {}
      for i, name in ipairs{"with space", "ü", "\255\0", ("x"):rep(100000), "{", "a|b", "a@b"} do
        done[i] = names.register(name) and names.lookup(name) == process.pid()
      end
      return done
    """
    assert run(LOCALS + body) == [True] * 7
