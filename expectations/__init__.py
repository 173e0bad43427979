"""What good data means: suites, checkpoints and reports, with Great Expectations."""

import os

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # read when the library is imported
