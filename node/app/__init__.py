"""The composition root: everything is built here from the settings, started in one order and stopped in the other.

node.py          the whole: what is shared, the order of start and stop
roles.py         what one process of several does
receiving.py     reception, DICOM listener and its services, feeds
rules.py         the rules in use, and what is kept to try others on
working.py       clerk, Triton, models, workers
archiving.py     the index of DICOMweb, who fills it and who asks it
serving.py       HTTP
store.py         where bytes lie
destinations.py  what a [[destination]] becomes

Nothing is imported here: who wants the clock need not wait for a whole node.
"""
