"""The check before an upgrade, decided: which pod pulls the image, what its status says, what fits. Pure."""
