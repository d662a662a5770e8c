"""ExaBGP as the BGP engine: a process of its own release, driven through one small extension."""
