"""fairseq-train's own complaint of arguments that it does not understand, before hours are spent on data.

usage: python check_arguments.py ARGUMENT...; the last line of stderr is the complaint
"""

import sys

from fairseq import options

options.parse_args_and_arch(options.get_training_parser(), ["BIN", *sys.argv[1:]])
