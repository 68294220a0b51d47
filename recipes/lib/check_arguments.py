"""fairseq-train's own complaint of arguments that it does not understand, before hours are spent on data.

usage: python check_arguments.py ARGUMENT...; the last line of stderr is the complaint
"""

import sys
from pathlib import Path

from fairseq import options

import alone_fairseq

plugin = ["--user-dir", str(Path(alone_fairseq.__file__).parent)]
options.parse_args_and_arch(options.get_training_parser(), [*sys.argv[1:], *plugin])
