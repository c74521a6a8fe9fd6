"""Notices: people are told what is wrong, once for each cause, and that it is over.

watch.py      what is wrong now, from the board and from what it does not count
texts.py      the words, from files that a site may replace
notifier.py   looks, and tells
people.py     what people do with notices: list, acknowledge, test
"""
