"""`python -m savedmodel_bench`: the command."""

import sys

from savedmodel_bench import main

if __name__ == "__main__":
    sys.exit(main())
