"""How long routers keep a node's routes, by what was negotiated."""
