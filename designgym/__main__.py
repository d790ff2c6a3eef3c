"""``python -m designgym``: the command line where its program is not on the path."""

from designgym.studies.cli import main

if __name__ == "__main__":
    main()
