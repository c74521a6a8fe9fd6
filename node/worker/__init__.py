"""Threads that judge series, attempt jobs and look after the rest, for ever, whatever a single one of them does."""

from node.worker.board_teller import BoardTeller
from node.worker.carrier import Carrier
from node.worker.clerk import Clerk
from node.worker.header_keeper import HeaderKeeper
from node.worker.housekeeper import Housekeeper
from node.worker.loop import Loop
from node.worker.model_keeper import ModelKeeper
from node.worker.notifier import NoticeTeller
from node.worker.reporter import Reporter
from node.worker.watchdog import SILENT_S, Watchdog
from node.worker.worker import Worker

__all__ = [
    "SILENT_S",
    "BoardTeller",
    "Carrier",
    "Clerk",
    "HeaderKeeper",
    "Housekeeper",
    "Loop",
    "ModelKeeper",
    "NoticeTeller",
    "Reporter",
    "Watchdog",
    "Worker",
]
