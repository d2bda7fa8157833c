"""The folds: ``fold_run(state, event) -> state`` and ``fold_session(state, event) -> state``.

Pure: no clock, no loop, no client. Live view and replay both come from here, so

    fold(a + b) == fold(b, start=fold(a))        and        fold(load(save(events))) == fold(events)

Events of a run must arrive ordered by ``order_key``; ``probes.runlog`` sees to that and re-folds a run when
a process was late. How a mark is told from mere traffic:

* Only what happens between a lane's trigger and its teardown is an answer to the cancel. Once the lab closes
  a client itself, a FIN proves nothing about the cancel, so it makes no mark.
* A server that was told before the teardown may finish its cleanup after it: that still counts.
* The wire's marks come from ``INTERRUPTS``: the frames that stop I/O, by protocol.
"""

from __future__ import annotations

from probes.fold.run import fold, fold_run, order_key
from probes.fold.session import GUESTS, SESSION_KINDS, fold_session
from probes.fold.wire import INTERRUPTS, wire_evidence

__all__ = [
    "GUESTS",
    "INTERRUPTS",
    "SESSION_KINDS",
    "fold",
    "fold_run",
    "fold_session",
    "order_key",
    "wire_evidence",
]
