"""Feeds: ways in on which the node fetches what others would not send: an Orthanc's changes, a watched folder."""

from node.feeds.folder import FolderSource, WatchedFolder
from node.feeds.follower import Feed, Follower
from node.feeds.orthanc import OrthancChanges, OrthancSource

__all__ = ["Feed", "FolderSource", "Follower", "OrthancChanges", "OrthancSource", "WatchedFolder"]
