"""What a hostile process may try, and what becomes of it.

Each is the body of a `main` that gets the pids of a Python process and of a Lua process that echoes.
"""

from __future__ import annotations

from typing import NamedTuple

GOES_ON = "goes on until it is terminated, and takes its turns like all others"


class Attack(NamedTuple):
    """An attack.

    Attributes:
        body: What `main` does.
        fails: Part of the error it ends with.
        gives: Or its result.
        needs: What a host must have for it to end: without that it holds up everybody, or takes all memory.
        goes_on: Or whether it never ends.
    """

    body: str
    fails: str = ""
    gives: object = None
    needs: str = ""
    goes_on: bool = False


def fails(text: str, body: str) -> Attack:
    return Attack(body, fails=text)


def gives(value: object, body: str) -> Attack:
    return Attack(body, gives=value)


def goes_on(body: str) -> Attack:
    return Attack(body, goes_on=True)


def spins(body: str) -> Attack:
    """Lua that computes for ever."""
    return Attack(body, fails="out of its CPU allowance", needs="PREEMPT")


def hoards(body: str) -> Attack:
    """Takes memory for ever, or hundreds of megabytes at once."""
    return Attack(body, fails="not enough memory", needs="MEMORY")


def blocks(body: str) -> Attack:
    """One call into C that never comes back."""
    return Attack(body, fails="lost", needs="THREADS")


TRY = "local function try(f, ...) return (tostring(select(2, pcall(f, ...))):gsub('^.-:%d+: ', '')) end "
REFUSED_LIBRARY = "cannot change a protected metatable"

METATABLES = {
    "the metatable of strings": gives(False, "return getmetatable('')"),
    "a method for all strings": fails("attempt to index a string", "('').evil = print"),
    "the metatable of globals": fails(REFUSED_LIBRARY, "setmetatable(_G, {__index = print})"),
    "the metatable of a library": fails(REFUSED_LIBRARY, "setmetatable(string, {})"),
    "rawset on a library": fails("protected table", "rawset(process, 'send', print)"),
    "rawset on a channel": fails("protected table", "rawset(channel.new(), 'receive', print)"),
    "rawset on a location": fails("protected table", "rawset(time.utc, 1, print)"),
    "table functions on a library": fails("read-only", "table.insert(process.registry, 1)"),
    "table.move into a library": fails("read-only", "table.move({1}, 1, 1, 1, math)"),
    "what pairs shows of a library": gives(
        "function", "for k in pairs(string) do string = nil end return type(('').upper)"
    ),
    "the next key of a library": gives(None, "return next(process)"),
    "a finalizer": fails("__gc is not available", "setmetatable({}, {__gc = print})"),
    "a finalizer that comes late": gives(
        "setmetatable: __gc is not available to a process",
        TRY
        + "local m = {} local t = setmetatable({}, m) m.__gc = print return try(setmetatable, {}, m)",
    ),
    "a finalizer by inheritance": gives(
        "none",
        """local ran = "none"
        local m = setmetatable({}, {__index = {__gc = function() ran = "ran" end}})
        for i = 1, 10000 do setmetatable({}, m) end return ran""",
    ),
    "the metatable of an error": gives(False, "return getmetatable(errors.new('x'))"),
    "the metatable of a channel": gives(False, "return getmetatable(process.inbox())"),
    "a metatable that lies about itself": fails(
        "bad argument #1 to 'send' (string expected, got table)",
        "process.send(setmetatable({}, {__metatable = false, __name = {}, __tostring = print}), 't')",
    ),
    "__index on arguments": gives(
        [False, "evil"],
        """local evil = setmetatable({}, {__index = function() error("evil", 0) end})
        local ok, err = pcall(channel.select, evil) process.send(process.pid(), "t", evil)
        return {process.set_options(evil) == false, select(2, pcall(process.listen, "t", evil))}""",
    ),
    "__len of a list of cases": fails(
        "entry 1 is not a case",
        "channel.select(setmetatable({}, {__len = function() return 2^53 end}))",
    ),
    "__pairs, __eq, __lt and __call on a payload": gives(
        [1],
        """local function evil() error("evil") end
        local t = setmetatable({1}, {__pairs = evil, __eq = evil, __lt = evil, __len = evil, __call = evil,
          __index = evil, __newindex = evil, __mode = "k", __metatable = evil, __name = evil})
        process.send(process.pid(), "t", t) return process.inbox():receive():payload()""",
    ),
    "weak tables as payload": gives(
        {"a": {}},
        """process.send(process.pid(), "t", setmetatable({a = {}}, {__mode = "kv"}))
        return process.inbox():receive():payload()""",
    ),
}

LOADING = {
    "bytecode": gives(
        "attempt to load a binary chunk (mode is 't')", "return select(2, load('\\27Lua'))"
    ),
    "bytecode by mode": gives(
        "attempt to load a binary chunk (mode is 't')",
        "return select(2, load('\\27Lua', 'x', 'b'))",
    ),
    "bytecode in pieces": gives(
        "attempt to load a binary chunk (mode is 't')",
        "local parts = {'\\27', 'Lua'} return select(2, load(function() return table.remove(parts, 1) end))",
    ),
    "string.dump": gives(
        "nil nil nil",
        "return table.concat({tostring(string.dump), tostring((''). dump), tostring(errors.new('').dump)}, ' ')",
    ),
    "debug": fails("attempt to index a nil value (global 'debug')", "debug.getregistry()"),
    "other globals of the state": gives(
        "nil nil nil nil nil nil nil",
        """local load = load("return io, package, debug, python, collectgarbage, dofile, loadfile")
        local t = {load()} for i = 1, 7 do t[i] = tostring(t[i]) end return table.concat(t, " ")""",
    ),
    "the globals of a chunk without any": gives(
        "nil", "return type((load('return _G', 'x', 't', {})()))"
    ),
    "a chunk that poses as the kernel": fails(
        "1", "load('error(1)', '@lua_api/lua/kernel/init.lua')()"
    ),
    "a reader that waits": gives(
        "attempt to yield across a C-call boundary",
        "return select(2, load(function() process.inbox():receive() end))",
    ),
    "a path to require": fails("invalid module name", "require('../../etc/passwd')"),
    "an absolute path to require": fails("invalid module name", "require('/etc/passwd')"),
    "a zero in a path": fails("invalid module name", "require('a\\0b')"),
    "bytes in a path": fails("invalid module name", "require('\\255')"),
    "a module of the kernel": fails("module not found", "require('kernel.registry')"),
    "a path to spawn": gives(
        'invalid entry "app:../secret": write "<namespace>:<name>", as in "app.jobs:mail"',
        "return tostring(select(2, process.spawn('app:../secret', 'app:processes')))",
    ),
    "a path to a time zone": gives(
        'unknown time zone "../../etc/passwd"',
        "return tostring(select(2, time.load_location('../../etc/passwd')))",
    ),
    "a Python function as a child": gives(
        "start.task: a Lua process cannot start a Python function",
        """return tostring(select(2, supervisor.start_child("pool",
          {start = {task = "os:system", args = {"true"}}})))""",
    ),
    "a Python function far down in a tree": gives(
        "start.task: a Lua process cannot start a Python function",
        """return tostring(select(2, supervisor.start_child("pool",
          {start = {id = "child", children = {{id = "x", start = {task = "os:system"}}}}})))""",
    ),
    "a spec of nonsense": gives(
        "nil",
        """local spec = {[true] = 1, [2.5] = 3, ["\\255"] = 5, id = "\\255", name = {}, restart = 5,
          shutdown = 0/0, start = {lua = "\\255", host = "\\254"}}
        return tostring((supervisor.start_child("pool", spec)))""",
    ),
    "a spec without a bottom": gives(
        "nil",
        """local spec = {} for i = 1, 240 do spec = {children = {spec}} end
        return tostring((supervisor.start_child("pool", spec)))""",
    ),
}

REQUESTS = {
    "a yield that looks like a request": fails(
        "attempt to yield from outside a coroutine", "coroutine.yield(1, 'x', 'y')"
    ),
    "yields in a coroutine that look like requests": gives(
        40,
        """local co = coroutine.wrap(function() for i = 1, 40 do coroutine.yield(i, process.pid(), "t") end end)
        local n for i = 1, 40 do n = co() end return n""",
    ),
    "tables and nothing as requests": gives(
        "nil table function",
        """local co = coroutine.wrap(function()
          coroutine.yield() coroutine.yield({}) coroutine.yield(print) end)
        return type((co())) .. " " .. type((co())) .. " " .. type((co()))""",
    ),
    "a request from a metamethod": fails(
        "attempt to yield from outside a coroutine",
        "local t = setmetatable({}, {__index = function(_, k) return coroutine.yield(k) end}) return t[7]",
    ),
    "a request as a result": gives(7, "return 7"),
    "a request as the end of a coroutine": gives(
        "dead",
        """local co = coroutine.create(function() return 7, nil, "x" end)
        coroutine.resume(co) coroutine.spawn(function() return 7 end) return coroutine.status(co)""",
    ),
    "a concurrent coroutine that yields": fails(
        "attempt to yield from outside a coroutine",
        "coroutine.spawn(function() coroutine.yield(3) end)",
    ),
    "resuming the main coroutine": gives(
        "cannot resume a coroutine that the scheduler runs",
        """local main = coroutine.running()
        return coroutine.wrap(function() return select(2, coroutine.resume(main)) end)()""",
    ),
    "closing the main coroutine": fails(
        "cannot close a coroutine that the scheduler runs", "coroutine.close(coroutine.running())"
    ),
    "closing a coroutine that waits": gives(
        "cannot close a normal coroutine",
        TRY
        + """local co = coroutine.create(function() time.sleep("1s") end)
        coroutine.spawn(function() coroutine.resume(co) end) return try(coroutine.close, co)""",
    ),
    "resuming a coroutine that waits": gives(
        "cannot resume non-suspended coroutine",
        """local co = coroutine.create(function() time.sleep("1s") end)
        coroutine.spawn(function() coroutine.resume(co) end) return select(2, coroutine.resume(co))""",
    ),
    "a concurrent coroutine after its end": gives(
        "cannot resume dead coroutine",
        """local co coroutine.spawn(function() co = coroutine.running() end)
        return select(2, coroutine.resume(co))""",
    ),
    "a coroutine that resumes itself": gives(
        "cannot resume non-suspended coroutine",
        TRY + "local co co = coroutine.wrap(function() return co() end) return try(co)",
    ),
    "a coroutine that closes itself": gives(
        "cannot close a running coroutine",
        TRY
        + """local co co = coroutine.create(function() return try(coroutine.close, co) end)
        return select(2, coroutine.resume(co))""",
    ),
    "coroutines that each resume the one before": gives(
        "C stack overflow",
        TRY
        + """local t = {} for i = 1, 300 do t[i] = coroutine.wrap(function() return i > 1 and t[i - 1]() end) end
        return try(t[300])""",
    ),
    "__close that waits": gives(
        "attempt to yield across a C-call boundary",
        TRY
        + """local co = coroutine.create(function()
          local x <close> = setmetatable({}, {__close = function() time.sleep("1s") end})
          coroutine.yield() end)
        coroutine.resume(co) return try(function() error(select(2, coroutine.close(co)), 0) end)""",
    ),
    "__close of who is terminated": gives(
        False,
        """coroutine.spawn(function()
          local x <close> = setmetatable({}, {__close = function() print("ran") end})
          time.sleep("1h") end) return false""",
    ),
    "waits where Lua cannot suspend": fails(
        "attempt to yield across a C-call boundary",
        "table.sort({1, 2, 3}, function() process.inbox():receive() end)",
    ),
    "a line printed where the stack is almost full, and Lua cannot suspend": gives(
        None,
        """local function with_stack(n, f)
          return pcall(function() (function(...) f() end)(table.unpack({}, 1, n)) end)
        end
        table.sort({1, 2}, function()
          local room, over = 0, 1000000
          while over - room > 1 do
            local n = (room + over) // 2
            if with_stack(n, function() end) then room = n else over = n end
          end
          for n = room - 150, room, 5 do with_stack(n, function() print("x") end) end
        end)""",
    ),
}

FORGED = {
    "a pid": gives(
        "process not found: {app:processes|0x99999}",
        "return tostring(select(2, process.send('{app:processes|0x99999}', 't')))",
    ),
    "the pid of the node": gives(
        "process not found: {python|0x00001}",
        "return tostring(select(2, process.terminate('{python|0x00001}')))",
    ),
    "a name like a pid": gives(
        None,
        "assert(not process.registry.register('{a|0x1}')) assert(not process.registry.register('@x'))",
    ),
    "a name that takes the square of its length to read": gives(
        'name not found: "',
        "return tostring(select(2, process.send('{' .. ('|'):rep(300000) .. '}x', 't'))):sub(1, 17)",
    ),
    "a channel": fails(
        "bad argument #1", "process.unlisten(setmetatable({}, {__name = 'channel'}))"
    ),
    "a case": fails("entry 1 is not a case", "channel.select({{process.inbox(), false}})"),
    "a case whose channel was taken out": fails(
        "entry 1 is not a case",
        "local case = process.inbox():case_receive() case[1] = nil channel.select({case})",
    ),
    "sends on the inbox": fails("only the kernel sends", "process.inbox():send({kind = 'EXIT'})"),
    "a message that is changed": fails(
        "messages cannot be changed",
        "process.send(process.pid(), 't', 1) process.inbox():receive().from = print",
    ),
    "a method of a message on a message of its own": gives(
        True,
        """process.send(process.pid(), "t", 1) local message = process.inbox():receive()
        return message.from(setmetatable({from = "evil", _from = "evil"}, {__index = message})) == process.pid()""",
    ),
    "a field of a message that holds itself": gives(
        ["payload: table that contains itself cannot be sent"] * 2,
        """process.send(process.pid(), "t", 1)
        local field = process.inbox():receive().topic
        field[1] = field
        local _, to_python = process.send((...), "t", field)
        local _, to_lua = process.send(process.pid(), "t", field)
        return {tostring(to_python), tostring(to_lua)}""",
    ),
    "a Time that holds a table": gives(
        ["payload: broken Time cannot be sent", "payload[1]: broken Time cannot be sent"],
        """local t = time.now()
        for key in next, t do t[key] = {} end
        local _, to_python = process.send((...), "t", t)
        local _, to_lua = process.send(process.pid(), "t", {t})
        return {tostring(to_python), tostring(to_lua)}""",
    ),
    "a Time that holds nothing": fails(
        "result: broken Time cannot be sent",
        """local t, keys = time.now(), {}
        for key in next, t do keys[#keys + 1] = key end
        for _, key in ipairs(keys) do t[key] = nil end
        return t""",
    ),
    "a Time of fractions": fails(
        "result: broken Time cannot be sent",
        "local t = time.now() for key, v in next, t do if v == 0 or v ~= 0 then t[key] = 0.5 end end return t",
    ),
    "a Duration that holds a table": gives(
        "payload: broken Duration cannot be sent",
        """local d = time.parse_duration("1s") for key in next, d do d[key] = {1} end
        return tostring(select(2, process.send((...), "t", d)))""",
    ),
    "a Duration that holds text": fails(
        "result: broken Duration cannot be sent",
        'local d = time.parse_duration("1s") for key in next, d do d[key] = "x" end return d',
    ),
    "an error object with other fields": fails(
        "invalid error object",
        """local e = errors.wrap(errors.new("x"), "c")
        e._message, e._kind, e._stack, e._context = {}, 5, print, {{}, 5}
        process.send((...), "t", e) error(e)""",
    ),
    "an error object of a hundred thousand contexts": fails(
        "c: c: c: ",
        """local e = errors.wrap(errors.new("x"), "c")
        for i = 1, 100000 do e._context[i] = "c" end error(e)""",
    ),
    "error objects within error objects": fails(
        "m", "local e for i = 1, 240 do e = errors.new({message = 'm', details = e}) end error(e)"
    ),
    "an error that prints itself": fails(
        "function", "error(setmetatable({print}, {__tostring = function() error('evil') end}), 0)"
    ),
    "__tostring that gives no string": fails(
        "'__tostring' must return a string",
        "print(setmetatable({}, {__tostring = function() return {} end}))",
    ),
    "__name that is no string": gives(
        "table: ", "return tostring(setmetatable({}, {__name = {}})):sub(1, 7)"
    ),
    "another tostring": gives(1, "tostring, pairs, next, type, error = nil print(5) return 1"),
    "bytes that are no text, everywhere": fails(
        "\udcff",
        """local x = "\\255" print(x) process.send((...), x, {[x] = x}) process.registry.register(x)
        process.send(x, x) process.spawn(x, x) process.spawn("t:echo", x) process.cancel(select(2, ...), x)
        pcall(time.load_location, x) error(errors.wrap(errors.new(x), x), 0)""",
    ),
    "NaN as a payload": gives(
        True,
        "process.send((...), 't', {0/0, 1/0}) local x = process.send((...), 't', 0/0) return x",
    ),
    "random numbers without a seed": gives(0, "math.randomseed(0/0) return math.random()"),
}

LIMITS = {
    "deep recursion": fails("stack overflow", "local function f() return 1 + f() end f()"),
    "deep recursion through pcall": gives(
        False,
        "local function f() return pcall(f) and pcall(f) end local function g() error(select(2, pcall(g))) end "
        "return (pcall(g))",
    ),
    "deep recursion through metamethods": fails(
        "overflow",
        "local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k + 1] end return t[1]",
    ),
    "a chain of __index": fails(
        "'__index' chain too long",
        "local t = {} setmetatable(t, {__index = t}) return t.x",
    ),
    "deep recursion through coroutines": fails(
        "C stack overflow", "local function f() return coroutine.wrap(f)() end f()"
    ),
    "deep recursion through tostring": fails(
        "C stack overflow",
        "local t t = setmetatable({}, {__tostring = function() return tostring(t) end}) print(t)",
    ),
    "deep recursion in a handler of errors": gives(
        None,
        "xpcall(error, function(e) local function f() return 1 + f() end return f() end)",
    ),
    "a deep stack that poses as the kernel": fails(
        "stack overflow",
        "load('local function f() return 1 + f() end f()', '@lua_api/lua/evil.lua')()",
    ),
    "coroutines that each start one": fails(
        "stack overflow", "local function f() coroutine.spawn(f) end f()"
    ),
    "a storm of errors": gives(
        100000, "local n = 0 for i = 1, 100000 do pcall(error, {}) n = n + 1 end return n"
    ),
    "stack blowers": gives(
        [254, False, False],
        """return {select("#", table.unpack({}, 1, 254)), (pcall(table.unpack, {}, 1, 1e7)),
          (pcall(string.char, table.unpack({}, 1, 100)))}""",
    ),
    "many arguments": gives(
        "arguments: more than 100000 values; send it in parts, or as one string",
        "return tostring(select(2, process.spawn('t:echo', 'app:processes', table.unpack({}, 1, 200000))))",
    ),
    "nothing, repeated for ever": gives(
        "",
        "return (''):rep(math.maxinteger) .. string.rep('', 2^60, '') .. errors.new(''):rep(2^60)",
    ),
    "too much, repeated": fails("resulting string too large", "return ('x'):rep(math.maxinteger)"),
    "widths of format": fails("invalid conversion", "return string.format('%99999d', 1)"),
    "sizes of pack": fails("out of limits", "return string.pack('i17', 1)"),
    "sizes of packsize": fails("too large", "return string.packsize(('c100000000'):rep(30))"),
    "conversions of os.date": fails("invalid conversion specifier", "return os.date('%Ez')"),
    "times of os.date": fails("cannot be represented", "return os.date('*t', 1 << 60)"),
    "fields of os.time": fails(
        "out-of-bound", "return os.time({year = 1 << 40, month = 1, day = 1})"
    ),
    "a comparator that makes no sense": fails(
        "invalid order function",
        "local t = {} for i = 1, 1000 do t[i] = i end table.sort(t, function() return true end)",
    ),
    "divisions and shifts": gives(
        [False, -9223372036854775808, 0, 0],
        "return {(pcall(function() return 1 // 0 end)), math.mininteger // -1, 1 << 64, 1 >> math.maxinteger}",
    ),
    "a loop without a step": fails("'for' step is zero", "for i = 1, 2, 0 do end"),
    "utf8 out of range": fails("value out of range", "return utf8.char(1 << 40)"),
    "sleeps of any length": gives(
        None,
        """for _, d in ipairs({-1, 0/0, -1/0, 1/0, 1e308, "x", "1e9h", ("9"):rep(1000) .. "h", "-1s"}) do
          time.sleep(d) time.after(d) end
        coroutine.spawn(function() time.sleep(math.maxinteger) end) time.ticker(9.2e18)""",
    ),
}

PAYLOADS = {
    "a million keys": gives(
        "payload: more than 100000 values; send it in parts, or as one string",
        """local t = {} for i = 1, 1000000 do t[i] = i end
        return tostring(select(2, process.send(process.pid(), "t", t)))""",
    ),
    "a few tables that hold each other twice": gives(
        ["payload: more than 100000 values; send it in parts, or as one string"] * 2,
        """local t = {} for i = 1, 40 do t = {t, t} end
        local _, to_python = process.send((...), "t", t)
        local _, to_lua = process.send(process.pid(), "t", t)
        return {tostring(to_python), tostring(to_lua)}""",
    ),
    "the same, with a fault to be found at the end": gives(
        ["payload: more than 100000 values; send it in parts, or as one string"] * 2,
        """local t = {} for i = 1, 40 do t = {t, t} end t = {t, x = print}
        local _, to_python = process.send((...), "t", t)
        local _, to_lua = process.send(process.pid(), "t", t)
        return {tostring(to_python), tostring(to_lua)}""",
    ),
    "lists with a name each": gives(
        True,
        "local t = {1} for i = 1, 200 do t = {t, x = 1} end return (process.send((...), 't', t))",
    ),
    "as result": fails(
        "result: more than", "local t = {} for i = 1, 40 do t = {t, t} end return t"
    ),
    "as details": fails(
        "boom",
        "local t = {} for i = 1, 40 do t = {t, t} end error(errors.new({message = 'boom', details = t}))",
    ),
    "as a spec": gives(
        "spec: more than",
        """local t = {} for i = 1, 40 do t = {t, t} end
        return tostring(select(2, supervisor.start_child("pool", t))):sub(1, 15)""",
    ),
    "large ones without end": goes_on(
        """local t = {} for i = 1, 20000 do t[i] = i end
        while true do process.send(process.pid(), "t", t) process.inbox():receive() end"""
    ),
    "faulty ones without end": goes_on(
        """local t = {} for i = 1, 5000 do t["k" .. i] = i end t.x = print
        while true do process.send(process.pid(), "t", t) end"""
    ),
}

STORMS = {
    "coroutines without end": goes_on("while true do coroutine.spawn(function() end) end"),
    "messages to itself": goes_on(
        "while true do process.send(process.pid(), 't') process.inbox():receive() end"
    ),
    "lines without end": goes_on("while true do print('x') end"),
    "unknown entries": goes_on(
        "for i = 1, math.huge do process.spawn('a.b:c' .. i, 'app:processes') end"
    ),
    "unknown modules": goes_on("for i = 1, math.huge do pcall(require, 'a.b' .. i) end"),
    "children that end at once": goes_on(
        "while true do process.spawn_linked_monitored('t:nothing', 'app:processes') process.events():receive() end"
    ),
    "names without end": goes_on(
        "while true do process.registry.register('a') process.registry.unregister('a') end"
    ),
    "calls to a supervisor": goes_on("while true do supervisor.which_children('pool') end"),
    "tickers faster than time": goes_on(
        "for i = 1, 2000 do time.ticker(1) end while true do process.send(process.pid(), 't') "
        "process.inbox():receive() end"
    ),
}

ENDLESS = {
    "a loop": spins("while true do end"),
    "a loop through pcall": spins("while true do pcall(error) end"),
    "goto": spins("::again:: goto again"),
    "huge bounds": spins("for i = 1, math.huge do end"),
    "in a coroutine": spins("coroutine.wrap(function() while true do end end)()"),
    "in __close of who has failed": fails(
        "x",
        "local x <close> = setmetatable({}, {__close = function() while true do end end}) error('x')",
    ),
    "in __close": spins(
        "do local x <close> = setmetatable({}, {__close = function() while true do end end}) end"
    ),
    "in a comparator": spins("table.sort({1, 2}, function() while true do end end)"),
    "in a replacement": spins("('x'):gsub('x', function() while true do end end)"),
    "in a reader": spins("load(function() while true do end end)"),
    "table.concat of a list without end": spins(
        "table.concat(setmetatable({}, {__len = function() return 1 << 60 end, __index = function() return '' end}))"
    ),
    "a table": hoards("local t = {} for i = 1, math.huge do t[i] = {} end"),
    "a string that doubles": hoards("local s = 'x' while true do s = s .. s end"),
    "string.rep": hoards("return #('x'):rep(1 << 30)"),
    "table.concat": hoards(
        "local t, s = {}, ('x'):rep(1000000) for i = 1, 1000 do t[i] = s end table.concat(t)"
    ),
    "string.format": hoards(
        "local s = ('x'):rep(20000000) return #string.format(('%s'):rep(30), table.unpack((function() "
        "local t = {} for i = 1, 30 do t[i] = s end return t end)()))"
    ),
    "large messages that nobody reads": hoards(
        "local s = ('x'):rep(1000000) for i = 1, 1000 do process.send(process.pid(), 't', s .. i) end"
    ),
    "a large message to many who do not read": hoards(
        """local s, pids = ('x'):rep(1000000), {}
        for i = 1, 40 do pids[i] = process.spawn('t:wait', 'app:processes') end
        for i = 1, 40 do process.send(pids[i], 't', s .. i) end"""
    ),
    "string.pack": hoards("return #string.pack('c1000000000', '')"),
    "gsub": hoards("return #('x'):rep(10000000):gsub('x', ('y'):rep(100))"),
    "exploding patterns": blocks("return (('a'):rep(40) .. 'b'):find(('a*'):rep(40) .. 'c')"),
    "table.move": blocks("table.move({}, 1, 1 << 60, 2)"),
    "table.insert": blocks(
        "table.insert(setmetatable({}, {__len = function() return 1 << 60 end}), 1, 1)"
    ),
    "table.remove": blocks(
        "table.remove(setmetatable({}, {__len = function() return 1 << 60 end}), 1)"
    ),
}

ATTACKS = {
    **METATABLES,
    **LOADING,
    **REQUESTS,
    **FORGED,
    **LIMITS,
    **PAYLOADS,
    **STORMS,
    **ENDLESS,
}
