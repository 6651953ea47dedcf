%% Many senders, one receiver.
-module(bench_fan_in).
-export([driver/1, burst/1]).

driver(Count) ->
    Senders = [spawn(?MODULE, burst, [self()]) || _ <- lists:seq(1, Count)],
    fun(Messages) ->
        [Sender ! {burst, Messages div Count} || Sender <- Senders],
        drain(Messages)
    end.

drain(0) -> ok;
drain(Missing) -> receive {m, _} -> drain(Missing - 1) end.

burst(Sink) ->
    receive
        {burst, Count} ->
            [Sink ! {m, Number} || Number <- lists:seq(1, Count)],
            burst(Sink)
    end.
