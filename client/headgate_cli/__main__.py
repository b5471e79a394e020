"""`python -m headgate_cli`."""

from headgate_cli.main import main

if __name__ == "__main__":
    main()
