"""Live traffic in network namespaces: hosts and cables, routers that forward, who asks and who answers.

network.py     hosts around a switch, and cables between two of them
forwarding.py  routers of the lab that put what they choose into the kernel's table (ECMP)
mirror.py      the same for those that cannot
requests.py    who asks, and who answers
counting.py    requests and answers -> how many were lost, and when          (pure)
"""
