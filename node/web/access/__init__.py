"""Who asks, and what he may: around everything that HTTP offers.

A handler says what it needs, for API and pages alike, and gets who asks:
`actor: Annotated[Actor, Depends(may(Right.OPERATE))]`.

demand.py     what a handler needs
layer.py      finds who asks, and turns away who is nobody
guard.py      … by session, token, or because he is at this machine
origin.py     … and whether a page of ours sent the change (CSRF)
cookies.py    what a browser keeps of its session
peers.py      who is at the other end, also behind a proxy
headers.py    security headers
bounds.py     how much a request of the API may say
trail.py      what the layer writes into the audit trail
recent.py     who was let in to read images a moment ago
wrong.py      who shows credentials that do not count, again and again
"""

from node.web.access.demand import Anybody, Demand, Visit, actor_of, csrf_token, demand, may, note_read
from node.web.access.layer import Access, Open, guarded

__all__ = [
    "Access",
    "Anybody",
    "Demand",
    "Open",
    "Visit",
    "actor_of",
    "csrf_token",
    "demand",
    "guarded",
    "may",
    "note_read",
]
