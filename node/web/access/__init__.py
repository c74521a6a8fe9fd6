"""Who asks, and what he may: around everything that HTTP offers.

A handler says what it needs, for API and pages alike, and gets who asks:
`actor: Annotated[Actor, Depends(may(Right.OPERATE))]`.

demand.py   what a handler needs
layer.py    finds who asks, and turns away who is nobody
"""

from node.web.access.demand import Demand, actor_of, csrf_token, may
from node.web.access.layer import Access, Open

__all__ = ["Access", "Demand", "Open", "actor_of", "csrf_token", "may"]
