"""`python3 -m edgegate.deploy`: the commands of `edgegate service`, out of a wheel whose dependencies are not there."""

import sys

from edgegate.deploy.command import main

sys.exit(main(sys.argv[1:]))
