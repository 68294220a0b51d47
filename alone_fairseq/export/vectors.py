"""``--to vectors``: the words' embeddings in word2vec's text format, which gensim's KeyedVectors reads."""

from pathlib import Path

import torch

from alone_fairseq.checkpoint.files import replacing
from alone_fairseq.errors import UserError
from alone_fairseq.export.plain import Plain


def write(plain: Plain, output: Path, force: bool) -> None:
    if not plain.settings.share_all_embeddings:
        raise UserError("vectors: encoder and decoder have an embedding each; only a shared one is exported")
    matrix = plain.weights["encoder.embed_tokens.weight"]
    dictionary = plain.task.source_dictionary
    words = dictionary.symbols[dictionary.nspecial :]
    for word in words:
        if len(word.split()) != 1:
            raise UserError(f"the word {word!r} has a space in it, which ends a word in this format")
    with replacing(output, force) as file:
        file.write(f"{len(words)} {matrix.shape[1]}\n".encode())
        for word, vector in zip(words, matrix[dictionary.nspecial :].tolist(), strict=True):
            # Nine digits tell any two float32 apart.
            file.write(f"{word} {' '.join(f'{value:.9g}' for value in vector)}\n".encode())
        file.flush()
        check(Path(file.name), matrix[dictionary.nspecial :])


def check(written: Path, matrix: torch.Tensor) -> None:
    """Read the file again: the same values to the last bit."""
    with open(written, encoding="utf-8", newline="\n") as file:
        next(file)
        read = torch.tensor([[float(value) for value in line.split(" ")[1:]] for line in file])
    if not torch.equal(read, matrix):
        raise UserError("the vectors read again differ from the model's; nothing is written")
    print(f"{len(matrix):,} words, the same values to the last bit")
