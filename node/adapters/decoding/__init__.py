"""Pixels of a volume, decoded in a child process that a crafted file may crash without harm to the node."""

from node.adapters.decoding.decoder import Decoder
from node.adapters.decoding.pixels import Pixels

__all__ = ["Decoder", "Pixels"]
