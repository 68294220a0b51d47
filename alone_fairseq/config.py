"""Which embedding a model has: the flags that all models share, and what is built from them."""

import logging
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any, NoReturn, Optional

from fairseq.dataclass import ChoiceEnum

from alone_fairseq.baselines import FactorizedEmbedding, LookupEmbedding
from alone_fairseq.embedding import AloneEmbedding
from alone_fairseq.errors import FatalUserError, UserError
from alone_fairseq.filters import CODES_FROM, KINDS, check_one_of
from alone_fairseq.given_filters import GIVEN, GivenFilters
from alone_fairseq.storage import STORAGES
from alone_fairseq.word_embedding import WordEmbedding

logger = logging.getLogger(__name__)

EMBEDDINGS = ("alone", "factorized", "lookup")

PARAM_GROUP = "alone"  # fairseq's name for a group of parameters with an optimizer of its own

# D_inter, ReLU dropout for real and for binary filters, update at which it stops (0: no dropout).
PAPER_MT = (4096, 0.2, 0.15, 4500)
# With --alone-layers 1 there are no hidden ones.
OF_HIDDEN_LAYERS = ("alone_inter_dim", "alone_relu_dropout", "alone_stop_relu_dropout")


@dataclass
class EmbeddingConfig:
    embedding: ChoiceEnum(list(EMBEDDINGS)) = field(
        default="alone",
        metadata={"help": "word embeddings: ALONE, a factorized matrix, or the conventional lookup"},
    )
    alone_filter: ChoiceEnum([*KINDS, GIVEN]) = field(
        default="real", metadata={"help": "kind of filter; given: they come with the checkpoint"}
    )
    alone_base_dim: Optional[int] = field(
        default=None,
        metadata={"help": "D_o, elements of the base embedding (default: those of an embedding)"},
    )
    alone_inter_dim: int = field(
        default=4096, metadata={"help": "D_inter, width of the feed-forward network's hidden layers"}
    )
    alone_layers: int = field(default=2, metadata={"help": "layers of the feed-forward network"})
    alone_codebooks: int = field(
        default=8, metadata={"help": "M, codebooks; 0: an independent filter for each word"}
    )
    alone_codes: int = field(default=64, metadata={"help": "c, columns of a codebook"})
    alone_zero_prob: float = field(default=0.5, metadata={"help": "p_o, share of zeros in a binary filter"})
    alone_relu_dropout: float = field(
        default=0.0,
        metadata={"help": "dropout after the ReLU for looked-up tokens (default: by architecture)"},
    )
    alone_stop_relu_dropout: int = field(
        default=0,
        metadata={"help": "number of updates after which that dropout stops; 0: never (default: by architecture)"},
    )
    alone_freeze_base: bool = field(default=False, metadata={"help": "do not train the base embedding"})
    alone_center: bool = field(
        default=False,
        metadata={"help": "replace the mean of all words' embeddings by a trained bias"},
    )
    alone_own_rows: int = field(
        default=0,
        metadata={"help": "number of words, the first of the dictionary, with trained rows of their own"},
    )
    alone_storage: ChoiceEnum(list(STORAGES)) = field(
        default="codebook",
        metadata={
            "help": "how the filters are held in memory: codebooks and codes, one row a word, or not at all"
        },
    )
    alone_codes_from: ChoiceEnum(list(CODES_FROM)) = field(
        default="index",
        metadata={
            "help": "draw a word's columns by its index, or by a hash of its symbol, the same for all dictionaries"
        },
    )
    alone_seed: int = field(default=1, metadata={"help": "seed of the filters"})
    alone_chunk_size: Optional[int] = field(
        default=None, metadata={"help": "words whose hidden activations exist at once (default: by device)"}
    )
    factorized_dim: Optional[int] = field(
        default=None, metadata={"help": "r, columns of the factorized embedding's table"}
    )


def alone_architecture(args, inter_dim: int, real_dropout: float, binary_dropout: float, stop: int) -> None:
    """Fill in what an architecture says of the embedding, unless the user has; null in a YAML file is nothing."""
    defaults = default_settings()
    given = {name: value for name in defaults if (value := getattr(args, name, None)) is not None}
    chosen = defaults | given
    if chosen["embedding"] == "alone" and chosen["alone_layers"] > 1:
        dropout = binary_dropout if chosen["alone_filter"] == "binary" else real_dropout
        defaults |= zip(OF_HIDDEN_LAYERS, (inter_dim, dropout, stop), strict=True)
    for name, value in (defaults | given).items():
        setattr(args, name, value)


def default_settings() -> dict[str, Any]:
    """Of the embedding, without an architecture."""
    return {one.name: one.default for one in fields(EmbeddingConfig)}


def check_names(args) -> None:
    """Refuse a setting with a misspelt name: argparse sees to the command line, nobody to a YAML file."""
    known = {one.name for one in fields(EmbeddingConfig)}
    for name in vars(args) if isinstance(args, Namespace) else args:
        if name.startswith("alone_") and name not in known:
            refuse(f"there is no setting {name}; choose from {', '.join(sorted(known))}")


def not_default(cfg, settings: type) -> set[str]:
    """Names of those of ``settings``, a dataclass, that have another value in ``cfg``."""
    return {one.name for one in fields(settings) if getattr(cfg, one.name) != one.default}


def check_used(cfg) -> None:
    """Warn of settings that have no effect beside the others: a checkpoint may have some, and be sound."""
    drawn = {f"alone_{name}" for name in ("codebooks", "codes", "zero_prob", "storage", "codes_from", "seed")}
    given = not_default(cfg, EmbeddingConfig)
    of_alone = given - {"embedding", "factorized_dim"}
    for applies, other, unused in (
        (cfg.embedding != "factorized", f"--embedding {cfg.embedding}", {"factorized_dim"}),
        (cfg.embedding != "alone", f"--embedding {cfg.embedding}", of_alone),
        (cfg.alone_filter == GIVEN, "--alone-filter given, whose filters are in the checkpoint", drawn),
        (cfg.alone_filter == "real", "--alone-filter real", {"alone_zero_prob"}),
        (cfg.embedding == "alone" and cfg.alone_layers == 1, "--alone-layers 1", set(OF_HIDDEN_LAYERS)),
        (cfg.alone_codebooks == 0, "--alone-codebooks 0", {"alone_codes"}),
    ):
        for name in sorted(given & unused) if applies else ():
            logger.warning("--%s has no effect with %s", name.replace("_", "-"), other)


def build_embedding(cfg, dictionary, embed_dim: int) -> WordEmbedding:
    """The embedding that ``cfg`` (an ``EmbeddingConfig``) asks for, for a fairseq dictionary."""
    with one_line_errors():
        # argparse has seen to the command line; a YAML file gets here as it is.
        check_one_of(cfg.embedding, EMBEDDINGS, "embedding", "--embedding")
        check_one_of(cfg.alone_codes_from, CODES_FROM, "codes_from", "--alone-codes-from")
        check_used(cfg)
        if cfg.embedding == "lookup":
            return LookupEmbedding(len(dictionary), embed_dim, dictionary.pad())
        if cfg.embedding == "factorized":
            if cfg.factorized_dim is None:
                raise UserError("--embedding factorized needs --factorized-dim, the columns of its table")
            return FactorizedEmbedding(
                len(dictionary), embed_dim, dictionary.pad(), factorized_dim=cfg.factorized_dim
            )
        given = cfg.alone_filter == GIVEN
        embedding = AloneEmbedding(
            len(dictionary),
            embed_dim,
            dictionary.pad(),
            filter=GivenFilters(len(dictionary), cfg.alone_base_dim or embed_dim) if given else cfg.alone_filter,
            base_dim=cfg.alone_base_dim,
            inter_dim=cfg.alone_inter_dim,
            num_layers=cfg.alone_layers,
            codebooks=cfg.alone_codebooks,
            codes=cfg.alone_codes,
            zero_prob=cfg.alone_zero_prob,
            relu_dropout=cfg.alone_relu_dropout,
            stop_relu_dropout=cfg.alone_stop_relu_dropout,
            train_base=not cfg.alone_freeze_base,
            center=cfg.alone_center,
            own_rows=cfg.alone_own_rows,
            storage=cfg.alone_storage,
            seed=cfg.alone_seed,
            chunk_size=cfg.alone_chunk_size,
            symbols=dictionary.symbols if cfg.alone_codes_from == "symbol" else None,
        )
        for weight in embedding.weights:
            weight.param_group = PARAM_GROUP
        return embedding


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Let a mistake that is found inside stop a fairseq command with one line."""
    try:
        yield
    except FatalUserError:
        raise
    except UserError as error:
        refuse(str(error))


def refuse(message: str) -> NoReturn:
    """Stop a fairseq command with one line."""
    raise FatalUserError(message) from None
