"""Asking routers what they have of a node's routes: the only proof of a withdrawal that counts as confirmed.

`probe.py` is the port and reads a probe's text, `model.py` the words; one file per router drives it.
"""
