"""Triton: the model repository on disk, the embedded server, and the client that asks any server for labels."""

from node.adapters.triton.client import TritonClient
from node.adapters.triton.embedded import EmbeddedTriton
from node.adapters.triton.flight import StillWanted
from node.adapters.triton.repository import Model, read_model, read_repository
from node.adapters.triton.statistics import Statistics

__all__ = ["EmbeddedTriton", "Model", "Statistics", "StillWanted", "TritonClient", "read_model", "read_repository"]
