"""The command line: parsing only. One file per noun; whatever does the work is imported inside the functions,
so that `--help` and a typing error cost nothing."""
