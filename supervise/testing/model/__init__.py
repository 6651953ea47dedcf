"""What the system must do, in plain Python: the models that the real one is held against."""

from supervise.testing.model.processes import Channel, Model, Process, Wait
from supervise.testing.model.values import CLOSED, Event, Failure, Message, Refusal

__all__ = [
    "CLOSED",
    "Channel",
    "Event",
    "Failure",
    "Message",
    "Model",
    "Process",
    "Refusal",
    "Wait",
]
