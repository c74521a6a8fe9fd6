"""The audit trail: its lines, and what they are as DICOM audit messages. Pure.

lines.py      lines, chained
parts.py      what messages are made of
messages.py   … as DICOM audit messages (PS3.15 A.5)
transfers.py  … of instances that went from one place to another
identifier.py … what a C-FIND asked for: text in a line, a data set in a message
xml.py        … and how such a message is written
syslog.py     … in a syslog message (RFC 5424)
"""

from node.core.audit.lines import GENESIS, KEPT_BY, SEARCHES, Kept, Line, What, broken_links, link, told

__all__ = ["GENESIS", "KEPT_BY", "SEARCHES", "Kept", "Line", "What", "broken_links", "link", "told"]
