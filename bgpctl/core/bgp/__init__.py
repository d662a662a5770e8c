"""BGP's own encodings."""
