"""`explain`: why something is, or is not, announced. Reads, changes nothing."""
