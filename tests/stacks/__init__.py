"""What a drain and a restore do on every stack, whatever happens on the way: real engines, real routers.

`python -m tests.stacks` runs one cell per stack, router, graceful restart and event, and prints the table:

    cells.py      the stacks, the events, and what there is to run
    site.py       two nodes of a stack and their router, and what can be done to them
    command.py    bgpctl in a process of its own, which may be killed at a write; everything.py: its imports
    eye.py        what the router has of both nodes, four times a second
    judging.py    what was seen against what must hold -> complaints                    (pure)
    run.py        the cells of one site, one after the other
"""
