"""The part of `time` that waits, in virtual time."""

from __future__ import annotations

import pytest

from lua_api import LinePrinted, Need
from tests.lua_world import EPOCH, HOST, World, run

CLOCK = """
  local begun = time.now()
  local function seconds() return time.now():sub(begun):seconds() end
  local log = {} """

WAITING = {
    "sleep lasts as long as it says, however it is said": (
        # Whole multiples of 256 ns, the resolution of moments on LuaJIT.
        """local short = time.parse_duration("256ms")
        for i, d in ipairs{ 256000000, "256ms", short, 512 * time.MILLISECOND } do
          time.sleep(d) log[i] = seconds()
        end
        return log""",
        [0.256, 0.512, 0.768, 1.28],
    ),
    "a sleep of nothing or less returns at once": (
        "return { time.sleep(0), time.sleep('-1h'), time.sleep(-5), seconds() }",
        [True, True, True, 0.0],
    ),
    "a sleep of bad text does not sleep": (
        """local slept, err = time.sleep("soon")
        return { slept == nil, errors.is(err, errors.INVALID), seconds() }""",
        [True, True, 0.0],
    ),
    "sleepers wake in the order of their times, then in the order in which they fell asleep": (
        """for i, d in ipairs{ "3s", "1s", "2s", "1s" } do
          coroutine.spawn(function() time.sleep(d) log[#log + 1] = i end)
        end
        time.sleep("4s") return log""",
        [2, 4, 3, 1],
    ),
    "after gives one Time, then it is closed": (
        """local ch = time.after("2s")
        local at, ok = ch:receive()
        local nothing, closed = ch:receive()
        return { at:equal(time.now()), ok, seconds(), nothing == nil, closed }""",
        [True, True, 2.0, True, False],
    ),
    "after keeps the time at which it went off until somebody receives": (
        """local ch = time.after("1s") time.sleep("3s")
        return { ch:receive():sub(begun):seconds(), seconds(), (select(2, ch:receive())) }""",
        [1.0, 3.0, False],
    ),
    "after is a timeout in a select": (
        """local never = channel.new()
        local timeout = time.after("5s")
        local r = channel.select{ never:case_receive(), timeout:case_receive() }
        return { r.channel == timeout, r.ok, seconds() }""",
        [True, True, 5.0],
    ),
    "a timer goes off once": (
        """local timer = time.timer("1s")
        local at = timer:response():receive()
        local again = channel.select{ timer:response():case_receive(),
          time.after("9s"):case_receive() }
        return { at:sub(begun):seconds(), again.channel ~= timer:response(), seconds() }""",
        [1.0, True, 10.0],
    ),
    "response and channel of a timer are one channel": (
        "local t = time.timer(1) return t:response() == t:channel()",
        True,
    ),
    "a stopped timer does not go off, and stop tells whether it was in time": (
        """local timer = time.timer("1s")
        local first, second = timer:stop(), timer:stop()
        time.sleep("2s")
        local late = time.timer("1s") time.sleep("2s")
        return { first, second, late:stop(),
                 channel.select{ timer:channel():case_receive(), default = true }.default }""",
        [True, False, False, True],
    ),
    "reset starts a timer anew and tells whether it was pending": (
        """local timer = time.timer("1s")
        time.sleep("500ms") log[1] = timer:reset("1s")
        timer:channel():receive() log[2] = seconds()
        log[3] = timer:reset("2s")
        timer:channel():receive() log[4] = seconds()
        return log""",
        [True, 1.5, False, 3.5],
    ),
    "reset forgets what went off and was not received": (
        """local timer = time.timer("1s")
        time.sleep("2s") timer:reset("5s")
        return timer:channel():receive():sub(begun):seconds()""",
        7.0,
    ),
    "a ticker goes off again and again until it is stopped": (
        """local ticker = time.ticker("1s")
        for i = 1, 3 do log[i] = ticker:response():receive():sub(begun):seconds() end
        log[4] = ticker:stop()
        local r = channel.select{ ticker:channel():case_receive(), time.after("9s"):case_receive() }
        log[5] = r.channel ~= ticker:channel()
        return log""",
        [1.0, 2.0, 3.0, True, True],
    ),
    "ticks that nobody receives are dropped but for one": (
        """local ticker = time.ticker("1s")
        time.sleep("5500ms")
        for i = 1, 3 do log[i] = ticker:channel():receive():sub(begun):seconds() end
        return log""",
        [1.0, 6.0, 7.0],
    ),
    "nothing goes off into a channel that was closed": (
        """local channels = { time.after("1s"), time.timer("1s"):channel(),
          time.ticker("1s"):channel() }
        for _, ch in ipairs(channels) do ch:close() end
        time.sleep("5s")
        for i, ch in ipairs(channels) do log[i] = { ch:receive() == nil, (select(2,
          ch:receive())) } end
        return log""",
        [[True, False]] * 3,
    ),
    "now is the time of the node, in the zone of the machine": (
        """time.sleep("1500ms")
        return { time.now():unix(), time.now():nanosecond(), time.now():location() ==
          time.localtz }""",
        [EPOCH + 1, 500_000_000, True],
    ),
    "the zone of the machine has a name": ("return time.localtz:string()", "Local"),
}


@pytest.mark.parametrize(("body", "result"), WAITING.values(), ids=WAITING)
def test_time_that_waits(body, result):
    assert run(CLOCK + body) == result


@pytest.mark.parametrize(
    "call", ["time.after(D)", "time.timer(D)", "time.ticker(D)", "timer:reset(D)"]
)
@pytest.mark.parametrize(
    "duration", ["0", "-1", "'0s'", "'-5m'", "'soon'", "time.parse_duration('0s')"]
)
def test_what_goes_off_later_refuses_a_duration_that_is_not_in_the_future(call, duration):
    body = f"""
      local timer = time.timer("1s")
      local got, err = {call.replace("D", duration)}
      return {{ got == nil, err:kind(), timer:stop() }}"""
    assert run(body) == [True, "Invalid", True]


MISUSE = {
    "time.sleep()": "bad argument #1 to 'sleep' (duration expected, got nil)",
    "time.sleep({})": "bad argument #1 to 'sleep' (duration expected, got table)",
    "time.after(true)": "bad argument #1 to 'after' (duration expected, got boolean)",
    "time.timer(time.now())": "bad argument #1 to 'timer' (duration expected, got Time)",
    "time.ticker()": "bad argument #1 to 'ticker' (duration expected, got nil)",
    "time.timer(1):reset()": "bad argument #2 to 'reset' (duration expected, got nil)",
    "time.timer(1).stop()": "bad argument #1 to 'stop' (timer expected, got nil)",
    "time.ticker(1).response(5)": "bad argument #1 to 'response' (ticker expected, got number)",
    "time.timer(1).reset(time.ticker(1), 1)":
        "bad argument #1 to 'reset' (timer expected, got ticker)",
    "time.load_location()": "bad argument #1 to 'load_location' (string expected, got nil)",
}  # fmt: skip


@pytest.mark.parametrize(("call", "problem"), MISUSE.items())
def test_misuse_raises_at_the_line_of_the_caller(call, problem):
    assert run(f"\nlocal _ = {call}").message == f"app/main.lua:2: {problem}"


@pytest.mark.one_state("steps the hub alone")
def test_an_endless_sleep_does_not_end():
    with World() as world:
        world.add_main("sleeper", 'time.sleep(math.maxinteger or 2^62) print("awake")')
        world.kernel.request(None, 1, "spawn", b"\x90", "app:sleeper", HOST, False, False, False)
        for now in (1.0, 2.0, 4e9):
            assert world.kernel.step(now, 1000).effects in ([], world.exits) or now == 1.0
        assert [p.state for p in world.kernel.processes() if p.entry == "app:sleeper"] == [
            "waiting"
        ]


def test_what_waits_for_time_goes_with_its_process():
    with World() as world:
        world.run("""
          time.after("1h") time.timer("1h") time.ticker("1h")
          coroutine.spawn(function() time.sleep("1h") end)""")
        assert world.statistics().timers == 0


def test_locations_are_found_by_name():
    body = """
      local utc, berlin = time.load_location("UTC"), time.load_location("Europe/Berlin")
      local summer = time.date(2024, 7, 1, 12, 0, 0, 0, berlin)
      return { utc == time.utc, berlin:string(), summer:utc():hour(),
               berlin == time.load_location("Europe/Berlin"), time.load_location("Local")
                 == time.localtz }"""
    assert run(body) == [True, "Europe/Berlin", 10, True, True]


@pytest.mark.parametrize(
    ("name", "kind"), [("", "Invalid"), ("No/Such", "NotFound"), ("../passwd", "NotFound")]
)
def test_a_location_that_cannot_be_had_is_an_error(name, kind):
    body = f'local found, err = time.load_location("{name}") return {{ found == nil, err:kind() }}'
    assert run(body) == [True, kind]


class CountingWorld(World):
    """Counts what the kernel asked for."""

    needs = 0

    def _on_effect(self, effect, kernel):
        self.needs += isinstance(effect, Need)
        super()._on_effect(effect, kernel)


def test_a_location_is_asked_for_once_and_each_process_gets_its_own_error():
    with CountingWorld() as world:
        body = """
          local log = channel.new(2)
          for i = 1, 2 do coroutine.spawn(function()
            local found, err = time.load_location("No/Such")
            log:send(err)
          end) end
          local a, b = log:receive(), log:receive()
          return { rawequal(a, b), a == b }"""
        assert world.run(body) == [False, True]
        assert world.needs == 1


def test_a_location_that_was_found_is_not_asked_for_again():
    with CountingWorld() as world:
        world.run('for i = 1, 2 do time.load_location("Asia/Tokyo") end')
        assert world.needs == 1


@pytest.mark.one_state("each state asks for what it has not found yet")
def test_other_processes_have_the_location_too():
    with CountingWorld() as world:
        for _ in range(2):
            world.run('time.load_location("Asia/Tokyo")')
        assert world.needs == 1


@pytest.mark.one_state("steps the hub alone")
def test_a_ticker_that_is_late_keeps_its_rhythm():
    with World() as world:
        world.add_main(
            "ticks",
            """local ticker, begun = time.ticker("1s"), time.now()
            while true do print(("%.1f"):format(ticker:channel():receive():sub(begun):seconds())) end""",
        )
        world.kernel.request(None, 1, "spawn", b"\x90", "app:ticks", HOST, False, False, False)
        lines = []
        for now in (0.0, 3.5, 3.9, 4.0):
            step = world.kernel.step(now, 1000)
            lines.append([e.text for e in step.effects if isinstance(e, LinePrinted)])
        assert lines == [[], ["3.5"], [], ["4.0"]]
