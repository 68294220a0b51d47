"""A start from word vectors: ``--encoder-embed-path FILE``, fairseq's flag.

A lookup's rows begin as the vectors, as in fairseq. ALONE is fitted to them (Section 3.1), when the model of a
training is built: which words are alike is what the first updates would have to find out.
"""

import logging
import os

import torch
from torch import Tensor, distributed

from alone_fairseq.baselines import LookupEmbedding
from alone_fairseq.checkpoint.fit import Fit, quality, word_weights
from alone_fairseq.embedding import AloneEmbedding
from alone_fairseq.errors import UserError
from alone_fairseq.given_filters import GivenFilters
from alone_fairseq.vectors import read_vectors
from alone_fairseq.word_embedding import WordEmbedding

logger = logging.getLogger(__name__)
CPU = torch.device("cpu")
UPDATES = 300  # of the fit, with which the figures in benchmarks/RESULTS.md were measured


def start_from(embedding: WordEmbedding, dictionary, path: str, device: torch.device = CPU) -> None:
    """Let an embedding begin with the vectors in a file, as its kind can.

    Args:
        embedding: with the V words of ``dictionary``, fairseq's.
        path: vectors of any format that ``alone_fairseq.vectors`` reads.
        device: where ALONE is fitted.

    Raises:
        UserError: the embedding can't begin so, or not with this file.
    """
    if isinstance(embedding, LookupEmbedding):
        load_rows(embedding, dictionary, path)
    elif isinstance(embedding, AloneEmbedding) and not isinstance(embedding.filter_store, GivenFilters):
        fit_to_vectors(embedding, dictionary, path, device)
    else:
        raise UserError(
            f"pre-trained embeddings ({path}) are not for --embedding factorized, nor for --alone-filter given"
        )


def load_rows(embedding: LookupEmbedding, dictionary, path: str) -> None:
    """The vectors as they are; rows of words without one stay as they are, too. As in fairseq.

    Raises:
        UserError: as ``vectors_of``.
    """
    rows, known = vectors_of(dictionary, path, embedding.embedding_dim)
    with torch.no_grad():
        embedding.table[known] = rows


def fit_to_vectors(
    embedding: AloneEmbedding,
    dictionary,
    path: str | os.PathLike,
    device: torch.device = CPU,
    updates: int = UPDATES,
) -> None:
    """Fit ALONE to the vectors.

    Words without a vector do not count; those of them with rows of their own keep what these begin with. Of the
    processes of a training the first one fits, and the others get what it has made.

    Args:
        device: for the fit; the embedding is then where it was.
        updates: steps of the fit.

    Raises:
        UserError: as ``initial_rows``, or only words with rows of their own have a vector.
    """
    with torch.no_grad():
        rows, known = initial_rows(path, dictionary, embedding.matrix())
    weights = word_weights(dictionary) * known  # (V)
    own = 0 if embedding.own is None else len(embedding.own)
    if not weights[own:].any():
        raise UserError(f"{path}: has vectors only for words with rows of their own; lower --alone-own-rows")
    words = f"{known.sum():,} of {len(known):,} words"
    logger.info(f"fitting embeddings to {path}: vectors of {words}, {updates} steps on {device}")
    training, place = embedding.training, embedding.base.device
    embedding.to(device)
    if not distributed.is_initialized() or distributed.get_rank() == 0:
        error = fit(embedding, rows.to(device), weights.to(device), updates)
        logger.info(f"fitted embeddings to {path}: squared error {error:.1%} of the variance")
    if distributed.is_initialized():
        for parameter in embedding.parameters():
            distributed.broadcast(parameter.data, 0)
    embedding.train(training).to(place)


def fit(embedding: AloneEmbedding, rows: Tensor, weights: Tensor, updates: int) -> float:
    """The squared error that is left, as a share of the variance."""
    fitting = Fit(embedding, rows, weights, updates)

    def progress(count: int, error: float) -> None:
        if fitting.done % 50 == 0:
            logger.info(f"step {fitting.done} of {updates}: squared error {error:.1%} of the variance")

    fitting.run(progress)
    with torch.no_grad():
        return quality(embedding.matrix(), rows, weights).error


def initial_rows(path: str | os.PathLike, dictionary, otherwise: Tensor) -> tuple[Tensor, Tensor]:
    """What embeddings shall be at first: vectors less their mean, and as large as a lookup's rows are at first.

    Args:
        path: vectors of any format that ``alone_fairseq.vectors`` reads.
        otherwise: (V, D_e), for words without a vector.

    Returns:
        (V, D_e) float32, and which words have a vector, (V) bool.

    Raises:
        UserError: as ``vectors_of``.
    """
    dim = otherwise.shape[1]
    rows, known = vectors_of(dictionary, path, dim)
    rows = rows - rows.mean(0)
    size = rows.std()
    filled = otherwise.clone()
    filled[known] = rows * (dim**-0.5 / size if size > 0 else 1)
    return filled, known


def vectors_of(dictionary, path: str | os.PathLike, dim: int) -> tuple[Tensor, Tensor]:
    """The vectors of those words that have one, in the order of the dictionary, and which these are.

    Returns:
        (words found, D_e) float32, and (V) bool.

    Raises:
        UserError: the file can't be read, has vectors of another size than ``dim``, or of none of the words.
    """
    try:
        vectors = read_vectors(path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    if vectors.matrix.shape[1] != dim:
        raise UserError(f"{path}: has vectors of {vectors.matrix.shape[1]} elements, and embeddings have {dim}")
    found = [vectors.index.get(symbol) for symbol in dictionary.symbols]
    known = torch.tensor([row is not None for row in found])
    if not known.any():
        raise UserError(f"{path}: has a vector for no word of the dictionary; were its words cut by the same BPE?")
    return torch.from_numpy(vectors.matrix)[[row for row in found if row is not None]], known
