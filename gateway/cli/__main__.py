"""`python -m gateway.cli`: the same as the `gridseal` command."""

import sys

from gateway.cli import main

sys.exit(main())
