"""`python -m simulator`: the command line."""

import sys

from nanobragg_torch.cli import main

sys.exit(main())
