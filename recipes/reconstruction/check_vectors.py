"""Read a teacher and students before anything is trained, and print how many elements the teacher's vectors have.

usage: python check_vectors.py TEACHER [STUDENT]...
"""

import sys

from alone_fairseq.errors import UserError
from alone_fairseq.reconstruction import load_student
from alone_fairseq.vectors import read_vectors

try:
    dim = read_vectors(sys.argv[1], limit=1).matrix.shape[1]
    for path in sys.argv[2:]:
        load_student(path)
except (UserError, OSError) as error:
    sys.exit(f"check_vectors.py: error: {error}")
print(dim)
