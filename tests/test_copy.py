"""The copy between two processes of one Lua state."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lua_api._terms import decode, encode
from supervise.testing.payloads import exact, payloads
from tests.kernel_state import call, open_state
from tests.refusals import DEEPEST, HOSTILE, REFUSALS

STATE = open_state()
JIT = open_state("luajit21")
EVERY_LUA = pytest.mark.parametrize("state", [STATE, JIT], ids=["lua54", "luajit21"])

COPIED = call(
    STATE,
    """
    return function(bytes)
      local ok, copied = copy.copy(wire.decode(bytes))
      assert(ok, copied)
      return wire.encode(copied)
    end
    """,
)

# Builds a value from plain data in which some texts stand for what data cannot say.
BOTH = call(
    STATE,
    """
    local function build(data, ancestors)
      if data == "@function" then return print end
      if data == "@coroutine" then return coroutine.create(print) end
      if data == "@channel" then return setmetatable({}, Channel) end
      if data == "@root" then return ancestors[1] end
      if type(data) ~= "table" or getmetatable(data) then return data end
      local t = {}
      ancestors[#ancestors + 1] = t
      for key, item in pairs(data) do t[key] = build(item, ancestors) end
      ancestors[#ancestors] = nil
      return t
    end
    return function(bytes)
      local value = build(wire.decode(bytes), {})
      local ok, copied = copy.copy(value)
      local encoded, message = wire.encode(value)
      return ok, ok and wire.encode(copied) or copied, encoded ~= nil, encoded or message
    end
    """,
)

LEAVES = st.one_of(
    st.integers(-5, 5),
    st.sampled_from(["a", "b", "@function", "@coroutine", "@channel", "@root"]),
)
TREES = st.lists(
    st.recursive(
        LEAVES,
        lambda items: st.one_of(
            st.lists(items, max_size=4),
            st.dictionaries(
                st.sampled_from(["a", "b", "c d"]) | st.integers(2, 4), items, max_size=4
            ),
        ),
        max_leaves=8,
    ),
    max_size=3,
)


def holds_unsendable(tree):
    if isinstance(tree, list):
        return any(map(holds_unsendable, tree))
    if isinstance(tree, dict):
        return any(map(holds_unsendable, tree.values()))
    return isinstance(tree, str) and tree.startswith("@")


@given(TREES)
@settings(max_examples=120, deadline=None)
def test_the_copy_refuses_what_the_wire_refuses_in_the_same_words(tree):
    copied, copy_or_message, encoded, bytes_or_message = BOTH(encode(tree))
    assert copied is encoded is not holds_unsendable(tree)
    if copied:
        assert exact(decode(copy_or_message)) == exact(decode(bytes_or_message))
    else:
        assert copy_or_message == bytes_or_message
        assert copy_or_message.startswith(b"payload")


@given(payloads())
@settings(max_examples=60, deadline=None)
def test_a_copy_equals_its_original(value):
    data = encode(value)
    echo = call(STATE, "return wire.encode(wire.decode(...))", data)
    assert exact(decode(COPIED(data))) == exact(decode(echo))


@EVERY_LUA
@pytest.mark.parametrize(("expression", "message"), REFUSALS)
def test_what_cannot_be_sent_is_refused_with_its_path(state, expression, message):
    found = call(state, f"local value = {expression} return copy.copy(value)")
    assert found == (False, message.encode())


@EVERY_LUA
@pytest.mark.parametrize("expression", DEEPEST)
def test_values_nest_to_the_limit(state, expression):
    assert call(state, f"local value = {expression} return (copy.copy(value))") is True


@EVERY_LUA
def test_the_root_is_named_by_the_caller(state):
    found = call(state, "return copy.copy({print}, 'args[2]')")
    assert found == (False, b"args[2][1]: function cannot be sent")


@EVERY_LUA
@pytest.mark.parametrize(
    "expression",
    [
        "{1, 2, 3}",
        "{1, nil, 3}",
        "{1, 2, 3, x = 1}",
        "{1, {2}, 3}",
        "{1, nil, 3, x = 1, y = 2}",
        "{[1] = 1, [2] = 2, [false] = 3, [1.5] = 4}",
        "{}",
        "{a = 1, b = 2, c = 3, d = 4, e = 5}",
        "{[0] = 0, [-1] = -1, 1, 2}",
        "{[2^53] = 1, [2^60] = 2, [math.huge] = 3, 4}",
        "{'1', '2', 3}",
        "{1, '2', 3}",
        "{'a', 'b', false, x = 'c'}",
        "{{1, {2}}, {3}, {}}",
        "(function() local t = {} for i = 9, 1, -1 do t[i] = i end t.x = 1 return t end)()",
        "(function() local t = {} t[1.0] = 1 t[2.0] = 2 t[3] = 3 return t end)()",
        "(function() local t = {1, 2, 3, 4} t[4] = nil return t end)()",
        "(function() local t = {1, 2, 3, 4} t[3], t[2] = nil, nil return t end)()",
        "(function() local t = {1, 2, 3, 4, 5, 6, 7, 8} t[5] = nil return t end)()",
        "(function() local t = {1, 2, 3, 4} t[4], t[5], t[6] = nil, 5, 6 return t end)()",
        "(function() local t = {1, 2, x = 1} t.x = nil t.y = 2 return t end)()",
        "(function() local t = {} for i = 1, 200 do t[i] = i end t[202] = 1 return t end)()",
        "(function() local t = {1, x = 1, y = 2, z = 3} t[2] = 2 return t end)()",
        "(function() local t = {} for i = 1, 200 do t[i] = i end return t end)()",
        "(function() local t = {} for i = 1, 201 do t[i] = i end return t end)()",
        "(function() local t = {} for i = 1, 100000 do t[i] = i end return t end)()",
    ],
)
def test_every_key_and_value_is_copied(state, expression):
    same = f"""
      local function same(a, b)
        if type(a) ~= "table" then return a == b end
        if a == b then return false end
        for k, v in pairs(a) do if not same(v, b[k]) then return false end end
        for k in pairs(b) do if a[k] == nil then return false end end
        return true
      end
      local value = {expression}
      local ok, copied = copy.copy(value)
      return ok and same(value, copied)
    """
    assert call(state, same) is True


# Builds a table the way its owner may have, key by key with removals in between, and copies it.
BUILT_UP = [
    call(
        state,
        """
        local function same(a, b)
          if type(a) ~= "table" then return rawequal(a, b) end
          if a == b then return false end
          for k, v in pairs(a) do if not same(v, b[k]) then return false end end
          for k in pairs(b) do if a[k] == nil then return false end end
          return true
        end
        return function(bytes)
          local history = wire.decode(bytes)
          local t = {}
          for i = 1, history.listed do t[i] = i end
          for _, change in ipairs(history.changes) do t[change.key] = change.value end
          local ok, copied = copy.copy(t)
          return ok and same(t, copied)
        end
        """,
    )
    for state in (STATE, JIT)
]
KEYS = (
    st.integers(-2, 18) | st.sampled_from([1.0, 2.0, 2.5, 1e300]) | st.sampled_from(["a", "b", "1"])
)
ITEMS = st.none() | st.integers(0, 3) | st.sampled_from(["x", 1.5, True, False, [], [1], [[1]]])
CHANGES = st.lists(
    st.builds(lambda key, item: {"key": key, "value": item}, KEYS, ITEMS), max_size=20
)


@given(st.integers(0, 17), CHANGES)
@settings(max_examples=200, deadline=None)
def test_no_key_is_lost_however_the_table_came_about(listed, changes):
    history = encode({"listed": listed, "changes": changes})
    assert [copied(history) for copied in BUILT_UP] == [True, True]


@EVERY_LUA
def test_scalars_are_their_own_copy(state):
    for expression in ("nil", "false", "1", "'a'"):
        found = call(state, f"local ok, v = copy.copy({expression}) return ok, v == {expression}")
        assert found == (True, True)
    types = "nil", "boolean", "number", "string"
    assert all(call(state, f"return copy.is_scalar['{name}']") for name in types)
    assert call(state, "return copy.is_scalar['table']") is None


@EVERY_LUA
def test_nothing_is_shared_and_a_table_that_stands_twice_is_copied_twice(state):
    found = call(
        state,
        "local t = {1} local ok, c = copy.copy({t, t})"
        " return c[1] ~= t, c[2] ~= t, c[1] ~= c[2], c[1][1], c[2][1]",
    )
    assert found == (True, True, True, 1, 1)


@EVERY_LUA
def test_metamethods_of_users_never_run_and_metatables_are_dropped(state):
    found = call(
        state,
        HOSTILE + "local ok, c = copy.copy(value) local get = debug.getmetatable"
        " return ok, get(c), get(c.list), #c.list, c.map.a, c.mixed[3], c.mixed.x",
    )
    assert found == (True, None, None, 3, 1, 3, 4)
    refused = call(state, HOSTILE + "return copy.copy(armed({ a = armed({ print }) }))")
    assert refused == (False, b"payload.a[1]: function cannot be sent")


@EVERY_LUA
def test_objects_stay_objects_and_share_nothing(state):
    found = call(
        state,
        """
        local e = setmetatable({ message = "m", details = { 1 } }, Error)
        local ok, c = copy.copy({ e, setmetatable({ ns = 5 }, Duration) })
        return getmetatable(c[1]) == Error, c[1] ~= e, c[1].message, c[1].details ~= e.details,
               c[1].details[1], getmetatable(c[2]) == Duration, c[2].ns
        """,
    )
    assert found == (True, True, b"m", True, 1, True, 5)
