"""Whether `alone teacher` takes these arguments, without training anything.

usage: python check_command.py teacher ARGUMENT...
"""

import sys

from alone_fairseq.cli import build_parser
from alone_fairseq.cli.teacher import refuse_others
from alone_fairseq.errors import UserError

try:
    refuse_others(build_parser().parse_args(sys.argv[1:]))
except UserError as error:
    sys.exit(f"alone: error: {error}")
