"""Word pairs and analogy questions are read before anything is trained, and not hours later.

usage: python check_sets.py PAIRS [QUESTIONS]; folders of files
"""

import sys
from pathlib import Path

from alone_fairseq.errors import UserError
from alone_fairseq.evaluation.analogy import read_files
from alone_fairseq.evaluation.similarity import read_sets

try:
    for option, folder, read in zip(("pairs", "questions"), sys.argv[1:], (read_sets, read_files), strict=False):
        files = sorted(Path(folder).glob("[!.]*"))
        if not files:
            raise UserError(f"--{option} '{folder}': no files in it")
        read(files)
except (UserError, OSError) as error:
    sys.exit(f"check_sets.py: error: {error}")
