"""A DICOM object as people read it, from its DICOM JSON Model (PS3.18 F): bounded, whatever it holds.

attributes.py   the attributes as a tree, each with its name
content.py      the content of a Structured Report as a tree, in words
"""

from node.core.readable.attributes import Attribute, Tree, tree
from node.core.readable.content import Content, content

__all__ = ["Attribute", "Content", "Tree", "content", "tree"]
