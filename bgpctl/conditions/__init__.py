"""What concerns the cluster as a whole and not one node. Until there is a daemon of its own for it, one of
the speakers does it, elected by a Lease."""
