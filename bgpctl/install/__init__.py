"""What stands in a cluster where bgpctl is installed: its objects as values, and how they get there and go.

`settings.py` is what may be chosen, `rights.py` who needs which right and why: two tables. `manifests.py`
puts the objects together; `apply.py`, `remove.py` and `check.py` talk to a cluster."""
