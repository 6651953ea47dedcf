%% A tree of processes, ten children each; the numbers of the leaves are summed on the way up.
-module(bench_skynet).
-export([run/1, start/3]).

run(Leaves) ->
    spawn(?MODULE, start, [self(), 0, Leaves]),
    Expected = Leaves * (Leaves - 1) div 2,
    receive {sum, Expected} -> ok end.

start(Parent, Number, 1) ->
    Parent ! {sum, Number};
start(Parent, Number, Leaves) ->
    Share = Leaves div 10,
    [spawn(?MODULE, start, [self(), Number + Child * Share, Share]) || Child <- lists:seq(0, 9)],
    Parent ! {sum, total(10, 0)}.

total(0, Sum) -> Sum;
total(Missing, Sum) -> receive {sum, Part} -> total(Missing - 1, Sum + Part) end.
