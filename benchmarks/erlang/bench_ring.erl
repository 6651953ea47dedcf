%% A ring of processes; two members are ping-pong.
-module(bench_ring).
-export([driver/2, forward/1, nested_payload/0]).

driver(Members, Payload) ->
    Following = lists:foldl(
        fun(_, Next) -> spawn(?MODULE, forward, [Next]) end, self(), lists:seq(2, Members)
    ),
    fun(Hops) -> rounds(Following, Payload, Hops div Members) end.

rounds(_, _, 0) ->
    ok;
rounds(Following, Payload, Rounds) ->
    Following ! {m, Payload},
    receive {m, _} -> rounds(Following, Payload, Rounds - 1) end.

forward(Following) ->
    receive
        {m, Payload} ->
            Following ! {m, Payload},
            forward(Following)
    end.

%% Built at run time: the emulator does not copy literals.
nested_payload() ->
    maps:from_list([
        {list_to_binary("k" ++ integer_to_list(Key)), lists:seq(1, 10)}
     || Key <- lists:seq(1, 10)
    ]).
