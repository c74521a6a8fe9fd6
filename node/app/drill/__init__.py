"""The fault drill: a node of its own, in a process of its own, on a scratch folder, with the same models and rules.

plan.py        what it is given of the node that is drilled
running.py     starts the process and reads its lines; the sheet of the last one
child.py       the process
ground.py      the node, receiver, sender and model server of the drill
exercises.py   what is done and looked at, one function an exercise

Nothing clinical is stopped or sent anything: what dies is the drill's own, and its database and files are removed.
"""
