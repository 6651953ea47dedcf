--- Ordered one-to-many relations held in a field: nothing, one item, or a set of several.
-- Most processes have at most one link and one watcher, so one item costs no table. The order is the
-- order of insertion: nothing in the kernel may depend on `pairs`. All operations are O(1).

local M = {}

local function is_set(held)
  return type(held) == "table" and held.items ~= nil
end

local function squeeze(set)
  local items, n = {}, 0
  for i = 1, set.top do
    local item = set.items[i]
    if item then
      n = n + 1
      items[n], set.place[item] = item, n
    end
  end
  set.items, set.top = items, n
end

--- Adds `item` to `owner[field]`; returns false if it was there.
function M.add(owner, field, item)
  local held = owner[field]
  if not held then
    owner[field] = item
    return true
  end
  if not is_set(held) then
    if held == item then
      return false
    end
    owner[field] = { size = 2, top = 2, items = { held, item }, place = { [held] = 1, [item] = 2 } }
    return true
  end
  if held.place[item] then
    return false
  end
  local top = held.top + 1
  held.top, held.size = top, held.size + 1
  held.items[top], held.place[item] = item, top
  return true
end

--- Removes `item`; returns false if it was not there.
function M.remove(owner, field, item)
  local held = owner[field]
  if not is_set(held) then
    if held ~= item then
      return false
    end
    owner[field] = false
    return true
  end
  local at = held.place[item]
  if not at then
    return false
  end
  held.items[at], held.place[item] = false, nil
  held.size = held.size - 1
  if held.size == 0 then
    owner[field] = false
  elseif held.top > 16 and held.size * 2 < held.top then
    squeeze(held)
  end
  return true
end

function M.has(owner, field, item)
  local held = owner[field]
  if is_set(held) then
    return held.place[item] ~= nil
  end
  return held == item
end

function M.size(owner, field)
  local held = owner[field]
  if is_set(held) then
    return held.size
  end
  return held and 1 or 0
end

--- The items in order, as a fresh list; the relation is empty afterwards.
function M.take_all(owner, field)
  local held = owner[field]
  owner[field] = false
  if not held then
    return {}
  elseif not is_set(held) then
    return { held }
  end
  squeeze(held)
  return held.items
end

--- The items in order, as a fresh list.
function M.list(owner, field)
  local items = M.take_all(owner, field)
  for i = 1, #items do
    M.add(owner, field, items[i])
  end
  return items
end

return M
