"""`python -m noisykernels`: report on the environment and check every loss."""

import sys

from noisykernels.report import main

if __name__ == "__main__":
    sys.exit(main())
