"""ExaBGP as the BGP engine: a child process of its own release, driven through one small extension."""
