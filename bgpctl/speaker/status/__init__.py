"""What a speaker says of itself: its BGPNodeState, its socket, its pages and metrics."""
