"""`bgpctl lab drill`: the operation guide's failures happen to a real router, under traffic.

net.py     router, client and two nodes with our own speaker, in network namespaces
events.py  what happens, scenario by scenario
run.py     one drill: traffic, event, forecast against fact
drill.py   the command: what it needs, one drill after the other, the result
"""
