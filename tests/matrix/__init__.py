"""What real routers do when something happens to a node, against what `bgpctl node estimate` said.

`python -m tests.matrix` runs one cell per router, event and graceful restart off or on, and prints the table:

    cells.py     what there is to run, what must hold in each cell, and which estimate it is measured by
    seeing.py    what a router showed, 10 times a second -> when routes went and came back    (pure)
    complaints.py  what was seen against what must hold -> complaints                           (pure)
    net.py       one cell's network: a router, an API, the node, and another node that must not notice
    watcher.py       asks the router every 100 ms
    entries.py   a route's own time of last change on the router, and its communities
    events.py    what happens to the node
    run.py       one cell from its start to its verdict
    table.py     the results as text, Markdown or JSON lines
"""
