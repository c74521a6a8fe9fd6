"""Notices: what people are told of, grouped by cause, and when.

figures ─▶ sighting.py ─▶ what is wrong now          alarm.py     a cause, from its beginning to its end
                                                     telling.py   whether somebody is to be told of it now
"""

from node.core.notices.alarm import Alarm, acknowledged, ended, seen
from node.core.notices.sighting import Kind, Severity, Sighting
from node.core.notices.telling import NEVER, Listener, Told, What, caught_up, due, telling

__all__ = [
    "NEVER",
    "Alarm",
    "Kind",
    "Listener",
    "Severity",
    "Sighting",
    "Told",
    "What",
    "acknowledged",
    "caught_up",
    "due",
    "ended",
    "seen",
    "telling",
]
