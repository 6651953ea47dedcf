"""Too much of everything: memory is bounded, whoever asks for more is told, and no event is lost."""

from __future__ import annotations

import pytest
import trio

from lua_api import ProcessExited, ProcessSpawned
from specs import HostSpec
from supervise import MailboxFullError, SubscriberTooSlowError
from tests import placement
from tests.lua_world import HOST, World
from tests.programs import lua, node_of

pytestmark = pytest.mark.wander


def test_a_process_has_as_many_timers_as_its_host_allows():
    with World(max_timers=3) as world:
        assert world.run("""
          local a, b, c = time.after("1s"), time.timer("2s"), time.ticker("1h")
          local answers = {}
          for name, make in pairs({after = time.after, timer = time.timer, sleep = time.sleep}) do
            local value, err = make("1s")
            answers[name] = {value == nil, err:kind(), tostring(err):match("max_timers of 3") ~= nil}
          end
          a:receive()
          answers.room = time.after("1s") ~= nil
          return answers""") == {
            "after": [True, "RateLimited", True],
            "timer": [True, "RateLimited", True],
            "sleep": [True, "RateLimited", True],
            "room": True,
        }


def test_a_timer_that_went_off_is_not_set_anew_beyond_the_limit():
    with World(max_timers=1) as world:
        assert world.run("""
          local first = time.timer("1s")
          assert(first:reset("2s"))
          first:response():receive()
          local second = time.timer("1s")
          local was_pending, err = first:reset("1s")
          return {was_pending == nil, err:kind()}""") == [True, "RateLimited"]


def test_a_storm_of_timers_goes_off_in_order_and_in_many_steps():
    with World() as world:
        world.add_main(
            "main",
            """
          local last = 0
          for i = 1, 20000 do
            local ch = time.after("1s")
            coroutine.spawn(function() ch:receive() assert(i == last + 1) last = i end)
          end
          time.sleep("2s")
          print(last)""",
        )
        world.kernel.request(
            world.kernel.open_port(),
            1,
            "spawn",
            b"\x90",
            "app:main",
            HOST,
            False,
            False,
            False,
        )
        world.settle()
        assert world.prints == ["20000"]
        assert world.statistics().timers == 0


@pytest.mark.one_state("steps the hub alone")
def test_a_step_lets_a_thousand_timers_go_off_at_most():
    with World() as world:
        world.add_main("main", 'for i = 1, 3000 do time.after("1s") end time.sleep("2s")')
        world.kernel.request(None, 1, "spawn", b"\x90", "app:main", HOST, False, False, True)
        while world.kernel.step(0, budget=1000).busy:
            pass
        assert world.statistics().timers == 3001
        assert world.kernel.step(1, budget=30).busy
        assert world.statistics().timers == 2001
        world.seconds = 1


@pytest.mark.one_state("steps the hub alone")
@pytest.mark.parametrize("ends", ["is terminated", "upgrades"])
def test_a_process_that_ends_with_many_timers_holds_up_nobody(ends):
    """They are taken out some at a time, and none of them goes off."""
    with World() as world:
        world.add_main("new", "process.inbox():receive()")
        world.add_main(
            "many",
            """
          process.registry.register("many")
          for i = 1, 5000 do coroutine.spawn(function() time.sleep("1s") print("went off") end) end
          process.inbox():receive() process.upgrade("app:new")""",
        )
        port = world.kernel.open_port()
        world.kernel.request(port, 1, "spawn", b"\x90", "app:many", HOST, False, False, False)
        while world.kernel.step(0, budget=1000).busy:
            pass
        assert world.statistics().timers == 5000
        if ends == "is terminated":
            world.kernel.request(port, 2, "terminate", None, "many")
        else:
            world.kernel.request(port, 2, "send", b"\xc0", "many", "t", True)
            world.kernel.step(0, budget=1)
        steps = 1
        while world.kernel.step(0, budget=1000).busy:
            assert world.statistics().timers == 0
            steps += 1
        assert steps >= 4
        world.kernel.close_port(port)
    assert world.prints == []


def test_who_starts_coroutines_without_end_gives_others_their_turns():
    with World() as world:
        world.add_main("storm", "while true do coroutine.spawn(function() end) end")
        assert (
            world.run(f"""
          local storm = process.spawn("app:storm", "{HOST}")
          process.send(process.pid(), "t", "turn")
          local message = process.inbox():receive():payload()
          time.sleep("1ms")
          process.terminate(storm)
          return message""")
            == "turn"
        )


def test_a_fork_bomb_ends_at_the_limit_and_gives_others_their_turns():
    limit = placement.fewer(2000)
    with World(max_processes=limit) as world:
        world.add_file(
            "bomb",
            f"""
          process.spawn("app:bomb", "{HOST}")
          return {{ main = function() process.inbox():receive() end }}""",
        )
        result = world.run(f"""
          coroutine.spawn(function() process.spawn("app:bomb", "{HOST}") end)
          local turns = 0
          for i = 1, 20 do process.send(process.pid(), "t") process.inbox():receive() turns = turns + 1 end
          time.sleep("10s")
          local pid, err = process.spawn("app:bomb", "{HOST}")
          return {{turns, pid == nil, err:kind()}}""")
        assert result == [20, True, "RateLimited"]
        assert len(world.processes()) == limit - 1


def test_a_flood_of_requests_to_end_is_refused_and_other_events_are_kept():
    with World(max_mailbox=10) as world:
        assert world.run(
            f"""
          local victim = process.spawn("app:victim", "{HOST}")
          local sent, refused = 0, nil
          for i = 1, 100 do
            local ok, err = process.cancel(victim, "now")
            if ok then sent = sent + 1 else refused = err:kind() end
          end
          process.monitor(victim)
          process.send(victim, "go")
          local result = process.events():receive().result
          return {{sent, refused, result}}""",
            victim=f"""
              for i = 1, 30 do process.spawn_monitored("app:child", "{HOST}") end
              process.inbox():receive()
              local kinds, events = {{CANCEL = 0, EXIT = 0}}, process.events()
              for i = 1, 40 do local kind = events:receive().kind kinds[kind] = kinds[kind] + 1 end
              return kinds""",
            child="time.sleep('1ms')",
        ) == [10, "RateLimited", {"CANCEL": 10, "EXIT": 30}]


async def test_a_slow_python_receiver_holds_as_many_messages_as_it_says():
    flood = lua("""
        local dest, sent, refused = ..., 0, 0
        for i = 1, 10 do
          local ok, err = process.send(dest, "n", i)
          if ok then sent = sent + 1 else assert(err:kind() == errors.RATE_LIMITED) refused = refused + 1 end
        end
        return {sent, refused}""")
    async with node_of(entries={"t:flood": flood}) as node, node.open_process(max_mailbox=4) as me:
        assert await node.exec("t:flood", me.pid) == [4, 6]
        with pytest.raises(MailboxFullError, match="holds its max_mailbox of 4"):
            node.send(me.pid, "n", 0)
        assert [(await me.receive()).payload for _ in range(4)] == [1, 2, 3, 4]
        node.send(me.pid, "n", 5)
        assert (await me.receive()).payload == 5


async def test_a_slow_python_receiver_loses_no_exit():
    async with node_of() as node, node.open_process(max_mailbox=4) as me:
        children = [await me.spawn("t:add", 1, n, monitor=True) for n in range(50)]
        await trio.sleep(1)
        exits = [await me.events.receive() for _ in children]
        assert sorted(end.pid for end in exits) == sorted(children)


async def test_a_subscriber_that_is_too_slow_is_told():
    async with node_of() as node:
        with (
            pytest.raises(SubscriberTooSlowError, match="max_events of 3") as caught,
            node.subscribe(max_events=3) as events,
        ):
            for n in range(5):
                await node.exec("t:add", n, n)
            kept = [type(event) async for event in events]
        assert kept == [ProcessSpawned, ProcessExited, ProcessSpawned]
        assert caught.value.max_events == 3
        with node.subscribe(max_events=3) as events:
            await node.exec("t:add", 1, 1)
            assert isinstance(await events.receive(), ProcessSpawned)


async def test_a_message_flood_from_python_is_refused_at_the_limit():
    async with node_of(hosts=[HostSpec("app:processes", max_mailbox=100)]) as node:
        pid = await node.spawn("t:wait")
        for n in range(100):
            node.send(pid, "n", n)
        with pytest.raises(MailboxFullError):
            node.send(pid, "n", 100)


@pytest.mark.one_state("steps the hub alone")
def test_a_turn_ends_sooner_where_payloads_are_large():
    """Otherwise 64 large copies in a row would hold up everybody."""
    with World() as world:
        world.add_main(
            "large",
            """
          local t = {} for i = 1, 2000 do t[i] = i end
          for i = 1, 64 do process.send(process.pid(), "t", t) end print("sent")""",
        )
        world.kernel.request(None, 1, "spawn", b"\x90", "app:large", HOST, False, False, True)
        steps = 1
        while world.kernel.step(0, budget=1000).busy:
            steps += 1
        assert steps > 5
