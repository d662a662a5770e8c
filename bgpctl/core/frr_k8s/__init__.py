"""What frr-k8s (MetalLB's BGP since 0.16) is told and tells of its nodes, and by which object one of them
withdraws. Pure.

Field names and what is done with them: metallb/frr-k8s, api/v1beta1, internal/controller, internal/frr.
"""
