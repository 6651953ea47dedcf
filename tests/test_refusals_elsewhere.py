"""What cannot be done is refused with the same error in whichever Lua state the other process lives."""

from __future__ import annotations

import pytest

from tests import placement
from tests.lua_world import HOST, World

# Names and pids of nobody, one who has ended, and one who lives.
DESTS = """{ "nobody", "", "@x", dead, "{app:processes|0x99}", "{app:processes|7:0x1}", live }"""

# What is tried with each of them, in this order.
REQUESTS = [
    "process.send(dest, 't', 1)",
    "process.send(dest, '@t', 1)",
    "process.send(dest, '', {1})",
    "process.send(dest, 't', print)",
    "process.send(dest, '@t', {print})",
    "process.send(dest, 't', nested(501))",
    "process.send(dest, 't', many(100001))",
    "process.cancel(dest)",
    "process.monitor(dest)",
    "process.monitor(dest)",
    "process.unmonitor(dest)",
    "process.link(dest)",
    "process.unlink(dest)",
    "process.registry.register('', dest)",
    "process.registry.register('name of ' .. dest, dest)",
    "process.registry.lookup(dest)",
    "process.registry.unregister(dest)",
    "supervisor.which_children(dest)",
    "supervisor.start_child(dest, {f = print})",
]

# What is tried once.
OTHERS = [
    "process.terminate(live)",
    "process.terminate(dead)",
    "process.terminate('nobody')",
    "process.spawn('no:such', HOST)",
    "process.spawn('no:such', 'nowhere')",
    "process.spawn('app:dead', 'nowhere', 1)",
    "process.spawn('app:dead', HOST, 1, print)",
    "process.exec('app:dead', HOST, nested(501))",
    "process.exec('app:deep', HOST, 499)",
    "process.exec('app:deep', HOST, 500)",
    "process.exec('app:details', HOST, 495)",
    "process.exec('app:details', HOST, 505)",
]

DEEP = "local n, t = ..., 1 for i = 1, n do t = {t} end "

BODY = f"""
  local HOST, told = "{HOST}", {{}}
  local function nested(n) local t = 1 for i = 1, n do t = {{t}} end return t end
  local function many(n) local t = {{}} for i = 1, n do t[i] = i end return t end
  local dead, live = process.spawn("app:dead", HOST), process.spawn("app:live", HOST)
  time.sleep("1s")
  local function shown(value)
    if type(value) == "table" and not value.kind then return "a table" end
    return (tostring(value):gsub(dead, "DEAD"):gsub(live, "LIVE"))
  end
  local function try(call, value, err)
    told[#told + 1] = call .. ": " .. shown(value) .. ", " .. shown(err) .. ", " .. shown(err and err:kind())
  end
  for _, dest in ipairs{DESTS} do
    {" ".join(f"try({call!r}, {call})" for call in REQUESTS)}
  end
  {" ".join(f"try({call!r}, {call})" for call in OTHERS)}
  return told
"""


def answers():
    with World() as world:
        return world.run(
            BODY,
            dead="return 1",
            live="channel.new():receive()",
            deep=DEEP + "return t",
            details=DEEP + "return nil, errors.new{message = 'm', details = t}",
        )


@pytest.mark.parametrize("where", ["elsewhere", "spread", "private"])
def test_what_cannot_be_done_is_refused_alike_everywhere(where, monkeypatch):
    monkeypatch.setattr(placement, "now", placement.Placement("one", placement.now.lua))
    here = answers()
    monkeypatch.setattr(placement, "now", placement.Placement(where, placement.now.lua))
    assert answers() == here
    assert len(here) == 7 * len(REQUESTS) + len(OTHERS)


@pytest.mark.parametrize("where", ["elsewhere", "spread", "private"])
def test_a_flood_of_requests_to_end_is_bounded_everywhere(where, monkeypatch):
    monkeypatch.setattr(placement, "now", placement.Placement(where, placement.now.lua))
    with World(max_mailbox=10) as world:
        found = world.run(
            f"""
            local live, sent, refused = process.spawn("app:live", "{HOST}"), 0, nil
            for i = 1, 30 do
              local ok, err = process.cancel(live)
              if ok then sent = sent + 1 else refused = err:kind() end
            end
            return {{sent, refused}}""",
            live="channel.new():receive()",
        )
    assert found == [10, "RateLimited"]
