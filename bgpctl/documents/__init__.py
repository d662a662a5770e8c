"""YAML streams with places, and what is wrong in them."""
