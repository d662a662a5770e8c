"""What a node's way out of service, and back, costs those who use it: requests lost, stack by stack.

`python -m tests.traffic` measures each way on each stack and router, and prints the table of docs/traffic.md:

    cells.py     the stacks, the ways out, and what must hold
    counting.py  why a cell is not as promised                                 (pure)
    net.py       one cell's network: a router that forwards, nodes, a client, an API
    node.py      what runs on a node: its stack's engine, in a process of its own
    run.py       the cells of one network, one after the other; result.py is what became of one
    table.py     the results as Markdown

Hosts, routers that forward, and requests are those of `bgpctl lab drill`: bgpctl/lab/traffic.
"""
