"""Calico's BGP as somebody outside its nodes reads and steers it.

`selector` reads Calico's selector expressions, `config` the objects that give nodes their peers, `nodestatus`
what calico-node says of the sessions, `states` makes a NodeState of both, `leave` the BGPFilter that
withdraws and the patches that put a node's peers behind it. Pure; of what Calico does with them
docs/providers.md says what was tried and what was not.
"""
