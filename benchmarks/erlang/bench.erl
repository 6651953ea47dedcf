%% Entry of the BEAM programs: times batches inside the emulator and prints one line of JSON.
-module(bench).
-export([main/1, cold_start/0]).

main([Workload, Size, Batches, Seconds]) ->
    finish(fun() ->
        Plan = {list_to_integer(Size), list_to_integer(Batches), list_to_float(Seconds)},
        print(samples(Workload, Plan))
    end).

cold_start() ->
    finish(fun() ->
        Echo = spawn(bench_spawn, echo, []),
        Echo ! {self(), ready},
        receive ready -> io:put_chars("ready\n") end
    end).

samples("spawn", {Size, _, _}) -> bench_spawn:samples(Size);
samples("ping_pong", Plan) -> timed(bench_ring:driver(2, 1), Plan);
samples("ring", Plan) -> timed(bench_ring:driver(1000, 1), Plan);
samples("nested", Plan) -> timed(bench_ring:driver(2, bench_ring:nested_payload()), Plan);
samples("fan_in", Plan) -> timed(bench_fan_in:driver(100), Plan);
samples("skynet", Plan) -> timed(fun bench_skynet:run/1, Plan).

%% A driver does that many operations; the first batch is for warming up.
timed(Driver, {Size, Batches, Seconds}) ->
    Driver(Size div 10),
    Until = erlang:monotonic_time() + round(Seconds * erlang:convert_time_unit(1, second, native)),
    [{time, timed(Driver, Size, Batches, Until)}].

timed(Driver, Size, Batches, Until) ->
    Started = erlang:monotonic_time(),
    Driver(Size),
    Ended = erlang:monotonic_time(),
    Seconds = erlang:convert_time_unit(Ended - Started, native, nanosecond) / 1.0e9,
    case Batches > 1 andalso Ended < Until of
        true -> [Seconds | timed(Driver, Size, Batches - 1, Until)];
        false -> [Seconds]
    end.

print(Metrics) ->
    Fields = [io_lib:format("\"~s\": ~w", [Name, Values]) || {Name, Values} <- Metrics],
    io:put_chars(["{", lists:join(", ", Fields), "}\n"]).

%% Runs in a process of its own, as the starting one belongs to the emulator.
finish(Work) ->
    {_, Monitor} = spawn_monitor(Work),
    receive
        {'DOWN', Monitor, process, _, normal} -> halt(0);
        {'DOWN', Monitor, process, _, Reason} ->
            io:format(standard_error, "~p~n", [Reason]),
            halt(1)
    end.
