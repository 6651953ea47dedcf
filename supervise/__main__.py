"""`python -m supervise` is the command `supervise`."""

import sys

from supervise._cli import main

sys.exit(main())
