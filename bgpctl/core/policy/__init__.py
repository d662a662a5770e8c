"""Documents -> validated policies: which object tells which node to run what."""
