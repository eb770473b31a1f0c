"""``python -m kube_reflect.cli``."""

import sys

from kube_reflect.cli import main

sys.exit(main())
