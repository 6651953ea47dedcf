%% Children of OTP's supervisor: each tells the driver when it begins, and crashes when told to.
%% Every batch of crashes has a supervisor of its own: its list of recent restarts is read at each
%% restart, and a long one would double the time of an isolated crash.
-module(bench_supervisor).
-behaviour(supervisor).
-export([restart/1, crash_all/1, start_and_stop/1, pool/0]).
-export([init/1, start_child/2, child/2, start_echo/0]).

restart(Plan) ->
    Isolated = lists:append(bench:batches(fun isolated/1, Plan)),
    [{time, Isolated}, {driven, bench:batches(fun driven/1, Plan)}].

%% From the crash, as the child sees it, to the first instruction of its replacement.
isolated(Crashes) ->
    Clock = clock(),
    {Supervisor, [Child]} = start(1, Clock),
    {Samples, _} = lists:mapfoldl(
        fun(_, Alive) ->
            supervisor:count_children(Supervisor), % it has come to rest
            Alive ! crash,
            receive
                {up, Next, Began} -> {bench:seconds(Began - atomics:get(Clock, 1)), Next}
            end
        end,
        Child,
        lists:seq(1, Crashes)
    ),
    stop(Supervisor),
    Samples.

%% A round is the order to crash, the restart, and the word of the replacement.
driven(Rounds) ->
    {Supervisor, [Child]} = start(1, clock()),
    Started = erlang:monotonic_time(),
    lists:foldl(fun(_, Alive) -> crash([Alive]), hd(up(1)) end, Child, lists:seq(1, Rounds)),
    Seconds = bench:seconds(erlang:monotonic_time() - Started),
    stop(Supervisor),
    Seconds / Rounds.

crash_all(Count) ->
    {Supervisor, Children} = start(Count, clock()),
    Started = erlang:monotonic_time(),
    crash(Children),
    up(Count),
    Seconds = bench:seconds(erlang:monotonic_time() - Started),
    stop(Supervisor),
    Seconds.

start_and_stop(Count) ->
    Specs = specs(Count, clock()),
    Started = erlang:monotonic_time(),
    {ok, Supervisor} = supervisor:start_link(?MODULE, {one_for_one, Specs}),
    Ready = erlang:monotonic_time(),
    up(Count),
    Stopping = erlang:monotonic_time(),
    stop(Supervisor),
    {bench:seconds(Ready - Started), bench:seconds(erlang:monotonic_time() - Stopping)}.

%% A driver that adds children to one dynamic supervisor; done when the last one has answered.
pool() ->
    Specs = [#{id => echo, start => {?MODULE, start_echo, []}}],
    {ok, Supervisor} = supervisor:start_link(?MODULE, {simple_one_for_one, Specs}),
    fun(Count) -> grow(Supervisor, Count, undefined) end.

grow(_, 0, Last) ->
    Last ! {self(), done},
    receive done -> ok end;
grow(Supervisor, Count, _) ->
    {ok, Child} = supervisor:start_child(Supervisor, []),
    grow(Supervisor, Count - 1, Child).

start(Count, Clock) ->
    {ok, Supervisor} = supervisor:start_link(?MODULE, {one_for_one, specs(Count, Clock)}),
    {Supervisor, up(Count)}.

stop(Supervisor) ->
    unlink(Supervisor),
    Monitor = monitor(process, Supervisor),
    exit(Supervisor, shutdown),
    receive {'DOWN', Monitor, process, _, shutdown} -> ok end.

crash(Children) -> [Child ! crash || Child <- Children].

up(Count) -> [receive {up, Child, _} -> Child end || _ <- lists:seq(1, Count)].

clock() -> atomics:new(1, [{signed, true}]).

specs(Count, Clock) ->
    Start = {?MODULE, start_child, [self(), Clock]},
    [#{id => Id, start => Start} || Id <- lists:seq(1, Count)].

init({Strategy, Specs}) ->
    {ok, {#{strategy => Strategy, intensity => 1000000, period => 1}, Specs}}.

start_echo() ->
    {ok, spawn_link(bench_spawn, echo, [])}.

start_child(Driver, Clock) ->
    {ok, spawn_link(?MODULE, child, [Driver, Clock])}.

child(Driver, Clock) ->
    Driver ! {up, self(), erlang:monotonic_time()},
    receive
        crash ->
            atomics:put(Clock, 1, erlang:monotonic_time()),
            exit(crash)
    end.
