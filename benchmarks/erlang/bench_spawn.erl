%% Spawns processes that wait for a message and stay; done when the last one has answered.
-module(bench_spawn).
-export([samples/1, echo/0]).

samples(Count) ->
    burst(1),
    erlang:garbage_collect(),
    Resident = resident_bytes(),
    Own = erlang:memory(processes),
    Started = erlang:monotonic_time(),
    burst(Count),
    Nanoseconds = erlang:convert_time_unit(erlang:monotonic_time() - Started, native, nanosecond),
    [
        {time, [Nanoseconds / 1.0e9]},
        {rss, [resident_bytes() - Resident]},
        {own, [erlang:memory(processes) - Own]}
    ].

burst(Count) -> burst(Count, undefined).

burst(0, Last) ->
    Last ! {self(), done},
    receive done -> ok end;
burst(Count, _) ->
    burst(Count - 1, spawn(?MODULE, echo, [])).

echo() ->
    receive
        {From, Message} ->
            From ! Message,
            echo()
    end.

resident_bytes() ->
    {ok, Status} = file:read_file("/proc/self/status"),
    {match, [Kilobytes]} = re:run(Status, "VmRSS:\\s+(\\d+)", [{capture, all_but_first, list}]),
    list_to_integer(Kilobytes) * 1024.
