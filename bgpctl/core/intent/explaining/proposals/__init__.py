"""Changes that may help against a reason why a route is absent, one file per kind of object."""
