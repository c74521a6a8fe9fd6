"""Destinations and sources: those of node.toml, and those that people keep while the node runs.

merging.py   both together as settings, and what is wrong with a row
live.py      what changes while the node runs, for those who look again and again
keys.py      the keys of each kind, from the models of node.toml: for forms and commands
helps.py     what each key means
book.py      the port through which pages, API and command line reach all of it
"""

from node.app.places.book import SettingsBook
from node.app.places.live import LiveMapping, LiveSequence, Places
from node.app.places.merging import Merged, merged, with_places

__all__ = ["LiveMapping", "LiveSequence", "Merged", "Places", "SettingsBook", "merged", "with_places"]
