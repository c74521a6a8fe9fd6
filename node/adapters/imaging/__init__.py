"""Headers and pixels for people and viewers, in child processes that a crafted file may crash without harm to the node.

imaging.py  the node's side: asks, waits, bounds
process.py  one child process and the pipe to it
child.py    what the child does with a request
headers.py  in the child: a header for the index, bulk data
frames.py   in the child: frames in another transfer syntax, whole instances too
drawing.py  in the child: frames as pictures, with segments on them
"""

from node.adapters.imaging.imaging import Imaging, Indexed, Picture

__all__ = ["Imaging", "Indexed", "Picture"]
