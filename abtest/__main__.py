"""`python -m abtest`."""

from abtest.cli.main import main

if __name__ == "__main__":
    main()
