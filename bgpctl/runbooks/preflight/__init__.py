"""What a preflight does to a cluster: pods that pull an image, and one restart where it is asked for."""
