"""``python -m kube_reflect``."""

import sys

from kube_reflect.cli import main

if __name__ == "__main__":
    sys.exit(main())
