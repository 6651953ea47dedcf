"""How many values each call gives: `print(call())` shows what the call documents, and no nil beyond it."""

from __future__ import annotations

from tests.lua_world import HOST, run

LOCALS = f"""
  local names, ch = process.registry, channel.new(1)
  local function spawn() return process.spawn("app:other", "{HOST}") end
  local function count(...) return select("#", ...) end
"""
WAITS = "process.inbox():receive()"
ONE = [
    "process.pid()",
    "process.id()",
    "spawn()",
    f"process.exec('app:quits', '{HOST}')",
    "process.send(spawn(), 'topic')",
    "process.send(spawn(), 'topic', 1)",
    "process.send(spawn(), 'topic', 1, 2)",
    "process.listen('topic')",
    "process.unlisten(process.listen('topic'))",
    "process.inbox()",
    "process.events()",
    "process.cancel(spawn())",
    "process.terminate(spawn())",
    "process.monitor(spawn())",
    "process.unmonitor(spawn())",
    "process.link(spawn())",
    "process.unlink(spawn())",
    "process.get_options()",
    "process.set_options({trap_links = true})",
    "process.started('value')",
    "names.register('mine')",
    "names.lookup('held')",
    "names.unregister('held')",
    "names.unregister('nobody')",
    "channel.new()",
    "ch:send(1)",
    "coroutine.spawn(function() end)",
    "time.sleep('1ms')",
    "time.sleep(0)",
    "time.after('1ms')",
    "time.timer('1s')",
    "time.timer('1s'):stop()",
    "time.timer('1s'):reset('2s')",
    "time.ticker('1s'):stop()",
    "time.load_location('UTC')",
]
TWO = [
    "process.spawn('app:other', 'nowhere')",
    f"process.exec('app:fails', '{HOST}')",
    "process.send('nobody', 'topic')",
    "process.send('nobody', 'topic', 1, 2)",
    "process.send('nobody', '@topic', print)",
    "process.listen('')",
    "process.unlisten(ch)",
    "process.cancel('nobody')",
    "process.terminate('nobody')",
    "process.monitor('nobody')",
    "process.link('nobody')",
    "names.register('')",
    "names.lookup('nobody')",
    "process.started(print)",
    "time.sleep('soon')",
    "supervisor.stop('nobody')",
    "supervisor.which_children('nobody')",
    "supervisor.terminate_child('nobody', 'child')",
    "supervisor.start_child('nobody', {})",
]


def counted(calls):
    body = "names.register('held') return {%s}"
    counts = ", ".join(f"count({call})" for call in calls)
    fails = "return nil, 'why'"
    return run(LOCALS + body % counts, other=WAITS, quits="return 1", fails=fails)


def test_what_went_well_gives_one_value():
    assert dict(zip(ONE, counted(ONE), strict=True)) == dict.fromkeys(ONE, 1)


def test_what_did_not_gives_nil_or_false_and_an_error():
    assert dict(zip(TWO, counted(TWO), strict=True)) == dict.fromkeys(TWO, 2)
