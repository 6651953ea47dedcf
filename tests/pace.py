"""How long others wait for their turn."""

from __future__ import annotations

import time

import trio


class Pace(trio.abc.Instrument):
    """The longest step of any task, in seconds of CPU time: for so long all others wait."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.began = time.thread_time()

    def before_task_step(self, _task: trio.lowlevel.Task) -> None:
        self.began = time.thread_time()

    def after_task_step(self, _task: trio.lowlevel.Task) -> None:
        self.longest = max(self.longest, time.thread_time() - self.began)
