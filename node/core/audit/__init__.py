"""The audit trail: its lines, and what they are as DICOM audit messages. Pure.

lines.py      lines, chained
messages.py   … as DICOM audit messages (PS3.15 A.5)
xml.py        … and how such a message is written
syslog.py     … in a syslog message (RFC 5424)
"""

from node.core.audit.lines import GENESIS, Line, What, broken_links, link, told

__all__ = ["GENESIS", "Line", "What", "broken_links", "link", "told"]
