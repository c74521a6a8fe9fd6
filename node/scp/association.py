"""An acceptor's association: its thread sleeps until there is something for it to do."""

from __future__ import annotations

import structlog
from pynetdicom import evt
from pynetdicom.association import Association

from node.scp.reactor import StorageReactor

_log = structlog.get_logger(__name__)
_IDLE_S = 0.25  # how often an idle association looks at its timers


class StoringAssociation(Association):
    """Serves what its reactor hands up."""

    def run_reactor(self) -> None:
        try:
            super().run_reactor()
        except Exception as broken:  # noqa: BLE001 # a foreign negotiation on a peer's request
            _log.warning("association broke", calling_ae=self.requestor.ae_title, fault=type(broken).__name__)
            self.abort()

    def _run_reactor(self) -> None:
        dul = self.dul
        assert isinstance(dul, StorageReactor)  # noqa: S101 # for the type checker
        self._is_paused = False
        while not self._kill:
            dul.handed_up.wait(_IDLE_S)
            dul.handed_up.clear()
            self._is_paused = True
            self._reactor_checkpoint.wait()
            self._is_paused = False
            while True:
                context_id, message = self.dimse.get_msg(block=False)
                if not message or context_id is None:
                    break
                self._serve_request(message, context_id)
            if self._is_over():
                return

    def _is_over(self) -> bool:
        """Release, abort, the peer's silence: as in pynetdicom's own reactor."""
        if self.is_established and self.acse.is_release_requested():
            self.acse.send_release(is_response=True)
            self.is_released, self.is_established = True, False
            evt.trigger(self, evt.EVT_RELEASED, {})
        elif self.acse.is_aborted():
            self.dul.receive_pdu(wait=False)
            self.is_aborted, self.is_established = True, False
            evt.trigger(self, evt.EVT_ABORTED, {})
        elif self.dul.is_alive():
            if not self.dul.idle_timer_expired():
                return False
            _log.warning("association silent", calling_ae=self.requestor.ae_title)
            self.abort()
        self.kill()
        return True
