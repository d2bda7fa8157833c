"""Which timer will end a call, said before it is made, and whether that came true. Pure; times are seconds.

Nothing is guessed: everything that can end the call gets a window of time in which it comes, and something wins only
when its window is over before any other begins. Where two of them meet it "cannot be said".
"""

from __future__ import annotations

from probes.forecast.forecast import RUN_LIMIT, SHARED, Forecast, Kind, forecast, forecasts
from probes.forecast.truth import Truth, fired_timer, of_run, truth
from probes.forecast.window import Timer, Window

__all__ = [
    "RUN_LIMIT",
    "SHARED",
    "Forecast",
    "Kind",
    "Timer",
    "Truth",
    "Window",
    "fired_timer",
    "forecast",
    "forecasts",
    "of_run",
    "truth",
]
