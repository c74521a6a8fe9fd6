"""A PACS on another machine: `python -m tests.system.far_pacs ADDRESS FOLDER`.

It answers nothing while the file `hold` lies beside FOLDER. An object that comes in two forms is two files.
"""

from __future__ import annotations

import hashlib
import sys
import threading
from pathlib import Path
from time import sleep

from pydicom.uid import AllTransferSyntaxes
from pynetdicom import AE, StoragePresentationContexts, evt
from pynetdicom.dimse_primitives import C_STORE


def main(address: str, folder: Path) -> None:
    def store(event: evt.Event) -> int:
        assert isinstance(event.request, C_STORE)
        assert event.request.DataSet
        content = event.request.DataSet.getvalue()
        (folder / f"{event.request.AffectedSOPInstanceUID}-{hashlib.sha256(content).hexdigest()[:8]}").touch()
        if (folder.parent / "hold").exists():
            print("holds", flush=True)  # noqa: T201 # who started it waits for this line
        while (folder.parent / "hold").exists():
            sleep(0.05)
        return 0x0000

    ae = AE(ae_title="PACS")
    for context in StoragePresentationContexts:
        ae.add_supported_context(context.abstract_syntax or "", AllTransferSyntaxes)
    scp = ae.start_server((address, 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    assert scp
    assert scp.socket
    print("listens", scp.socket.getsockname()[1], flush=True)  # noqa: T201
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
