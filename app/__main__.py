"""``python -m app``: the same as the command ``cancelloscope``."""

import sys

from app.cli import main

sys.exit(main())
