"""What a node's way out of service, and back, costs those who use it: requests lost, stack by stack.

`python -m tests.traffic` measures each way on each stack and router, and prints the table of docs/traffic.md:

    cells.py     the stacks, the ways out, and what must hold
    counting.py  requests and answers -> how many were lost, and when          (pure)
    net.py       one cell's network: a router that forwards, nodes, a client, an API
    router.py    BIRD and FRR that install equal paths into the kernel
    node.py      what runs on a node: its stack's engine, in a process of its own
    requests.py  who asks, and who answers
    run.py       the cells of one network, one after the other; result.py is what became of one
    table.py     the results as Markdown
"""
