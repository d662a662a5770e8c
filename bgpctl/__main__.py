"""`python -m bgpctl`, for hosts where another bgpctl (OpenBGPD's) comes first on the PATH."""

from bgpctl.cli.main import main

if __name__ == "__main__":
    main()
