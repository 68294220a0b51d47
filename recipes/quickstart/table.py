"""Set the quickstart's systems side by side: sizes, scores, and some translations to read.

usage: python table.py WORK SYSTEM...
"""

import sys
from pathlib import Path

from sacrebleu.metrics import BLEU

from alone_fairseq.checkpoint.contents import read_contents

EXAMPLES = 4
ROW = "{:<8}{:>23}{:>19}{:>8}"


def read(path):
    return path.read_text(encoding="utf-8").splitlines()


def main(work, *systems):
    work, bleu = Path(work), BLEU()
    raw = work / "text" / "raw"
    sources, references = read(raw / "test.en"), read(raw / "test.de")
    translations = {system: read(work / system / "test.de") for system in systems}

    print(ROW.format("", "embedding parameters", "checkpoint bytes", "BLEU"))
    for system in systems:
        contents, _ = read_contents(work / system / "averaged.pt")
        score = bleu.corpus_score(translations[system], [references]).score
        parameters = f"{contents.embedding_parameters:,}"
        print(ROW.format(system, parameters, f"{contents.file_bytes:,}", f"{score:.2f}"))
    print(f"\nsacreBLEU {bleu.get_signature()}, {len(sources)} sentences that training has not seen\n")

    # The longest say most about word order.
    for index in sorted(range(len(sources)), key=lambda i: -len(sources[i]))[:EXAMPLES]:
        print(f"{'source':<11}{sources[index]}")
        print(f"{'reference':<11}{references[index]}")
        for system in systems:
            print(f"{system:<11}{translations[system][index]}")
        print()


if __name__ == "__main__":
    main(*sys.argv[1:])
