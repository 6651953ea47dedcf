"""Lua values that cannot be sent and the words for it: the same for the wire and the copy."""

from __future__ import annotations

REFUSALS = [
    ("print", "payload: function cannot be sent"),
    ("{cb = print}", "payload.cb: function cannot be sent"),
    ("{items = {1, 2, {cb = print}}}", "payload.items[3].cb: function cannot be sent"),
    ("{coroutine.create(print)}", "payload[1]: coroutine cannot be sent"),
    ("{a = io.stdout}", "payload.a: userdata cannot be sent"),
    ("setmetatable({}, Channel)", "payload: channel cannot be sent"),
    ("{ch = setmetatable({}, Channel)}", "payload.ch: channel cannot be sent"),
    ("{[print] = 1}", "payload: function cannot be a key"),
    ("{a = {[{}] = 1}}", "payload.a: table cannot be a key"),
    ("{a = {[{}] = 1, [print] = 2}}", "payload.a: function cannot be a key"),
    ("{[setmetatable({}, Channel)] = 1}", "payload: table cannot be a key"),
    # Numbered items come first, then names in byte order, then booleans.
    ("{b = print, a = print, [true] = print}", "payload.a: function cannot be sent"),
    ("{b = print, a = print, [2] = print}", "payload[2]: function cannot be sent"),
    ("{[true] = print, [false] = print}", "payload[false]: function cannot be sent"),
    ("{[1.5] = print}", "payload[1.5]: function cannot be sent"),
    ("{['two words'] = print}", 'payload["two words"]: function cannot be sent'),
    (r"{['\255\n\"'] = print}", r'payload["\255\010\034"]: function cannot be sent'),
    (
        "{[('k'):rep(41)] = print}",
        'payload["' + "k" * 40 + '..."]: function cannot be sent',
    ),
    ("{[true] = 1, [1] = 2}", "payload: the keys true and 1 are the same key in Python"),
    ("{a = {[false] = 1, [0] = 2}}", "payload.a: the keys false and 0 are the same key in Python"),
    (
        "(function() local t = {} t.self = t return t end)()",
        "payload.self: table that contains itself cannot be sent",
    ),
    (
        "(function() local t = {} t[1] = {a = {t}} return {x = t} end)()",
        "payload.x[1].a[1]: table that contains itself cannot be sent",
    ),
    (
        "(function() local t = {} for i = 1, 50 do t[i] = t end return t end)()",
        "payload[1]: table that contains itself cannot be sent",
    ),
    (
        "setmetatable({message = 'm', details = {cb = print}}, Error)",
        "payload.details.cb: function cannot be sent",
    ),
    (
        "(function() local e = setmetatable({}, Error) e.details = {e} return e end)()",
        "payload.details[1]: table that contains itself cannot be sent",
    ),
    (
        "(function() local t = {} for _ = 1, 500 do t = {t} end return t end)()",
        "payload: nested more than 500 levels deep",
    ),
    (
        "(function() local t = {} for _ = 1, 20000 do t = {t} end return t end)()",
        "payload: nested more than 500 levels deep",
    ),
    (
        "(function() local t = setmetatable({}, Time) for _=1,499 do t = {t} end return t end)()",
        "payload: nested more than 500 levels deep",
    ),
]

DEEPEST = [
    "(function() local t = {} for _ = 1, 499 do t = {t} end return t end)()",
    (
        "(function() local t = setmetatable({ns = 1}, Duration) for _ = 1, 499 do t = {t} end"
        " return t end)()"
    ),
]

# Every metamethod raises, so a read that is not raw is seen at once.
HOSTILE = """
local hostile = { __metatable = "locked", __name = "x", __mode = "v" }
for _, event in ipairs({ "index", "newindex", "pairs", "ipairs", "len", "eq", "lt", "le", "call",
                         "tostring", "concat", "unm", "add", "close" }) do
  hostile["__" .. event] = function() error("__" .. event .. " ran") end
end
local function armed(t) return setmetatable(t, hostile) end
local value = armed({ list = armed({ 1, 2, 3 }), map = armed({ a = 1 }), empty = armed({}),
                      mixed = armed({ 1, nil, 3, x = 4 }) })
"""
