%% Entry of the BEAM programs: times batches inside the emulator and prints one line of JSON.
-module(bench).
-export([main/1, cold_start/0, batches/2, seconds/1]).

main([Workload, Size, Batches, Seconds]) ->
    logger:set_primary_config(level, none), % crashes are the workload, not news
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
samples("skynet", Plan) -> timed(fun bench_skynet:run/1, Plan);
samples("restart", Plan) -> bench_supervisor:restart(Plan);
samples("crash_all", Plan) -> [{time, batches(fun bench_supervisor:crash_all/1, Plan)}];
samples("start_stop", Plan) ->
    {Starts, Stops} = lists:unzip(batches(fun bench_supervisor:start_and_stop/1, Plan)),
    [{start, Starts}, {stop, Stops}];
samples("start_child", Plan) -> timed(bench_supervisor:pool(), Plan).

%% A driver does that many operations.
timed(Driver, Plan) ->
    Batch = fun(Size) ->
        Started = erlang:monotonic_time(),
        Driver(Size),
        seconds(erlang:monotonic_time() - Started)
    end,
    [{time, batches(Batch, Plan)}].

%% What each batch has measured itself; the first one is for warming up.
batches(Batch, {Size, Batches, Seconds}) ->
    Batch(Size div 10),
    Until = erlang:monotonic_time() + round(Seconds * erlang:convert_time_unit(1, second, native)),
    batches(Batch, Size, Batches, Until).

batches(Batch, Size, Batches, Until) ->
    Measured = Batch(Size),
    case Batches > 1 andalso erlang:monotonic_time() < Until of
        true -> [Measured | batches(Batch, Size, Batches - 1, Until)];
        false -> [Measured]
    end.

seconds(Native) -> erlang:convert_time_unit(Native, native, nanosecond) / 1.0e9.

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
