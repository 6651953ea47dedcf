--- What requests cost that did a lot for one call: `extra` is more of the budget of a step than one each.
-- Counted from the start of a step, in requests.

return { extra = 0 }
