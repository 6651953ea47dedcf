"""Which ends are followed by a restart. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specs import ExitKind, Restart

if TYPE_CHECKING:
    from specs import ChildSpec, ExitReason

_QUIET = (ExitKind.NORMAL, ExitKind.SHUTDOWN)


def needs_restart(spec: ChildSpec, reason: ExitReason) -> bool:
    """Whether a child that ended of its own accord is started again.

    OTP's table: permanent always; transient after an error or a kill; temporary never.
    """
    restart = spec.restart
    return restart is Restart.PERMANENT or (
        restart is Restart.TRANSIENT and reason.kind not in _QUIET
    )
