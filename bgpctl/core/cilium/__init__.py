"""Cilium's BGP control plane (v2 API, 1.16 and newer) as somebody outside its agents reads and steers it.

`nodeconfig` reads the CiliumBGPNodeConfig of one node, `states` makes a NodeState of it, `copies` are the
CiliumBGPPeerConfigs without advertisements, `leave` the patches that make a node withdraw, close and come
back. Pure; what Cilium does with them was measured (docs/providers.md).
"""
