"""``alone teacher``: word vectors from a corpus."""

import tempfile
from pathlib import Path

from tqdm import tqdm

from alone_fairseq.cli.arguments import check_above_zero, check_seed, positive
from alone_fairseq.errors import UserError

MODELS = ("skip-gram", "cbow", "fasttext", "glove")


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "teacher",
        help="train word vectors on a corpus: skip-gram, CBOW, fastText, GloVe",
        description="Train word vectors on text, a sentence or paragraph a line, plain or compressed by gzip"
        " or xz, and write them in word2vec's text format. skip-gram, cbow and fasttext are gensim's.",
        epilog="example: alone teacher corpus.txt --model skip-gram --loss ns --lower-case --output teacher.vec",
    )
    parser.add_argument("corpus", nargs="+", metavar="TEXT", help="the corpus")
    parser.add_argument("--model", required=True, choices=MODELS)
    parser.add_argument("--output", required=True, metavar="F", help="vectors to write")
    parser.add_argument("--lower-case", action="store_true", help="lower-case the corpus")
    parser.add_argument("--split-at-spaces", action="store_true", help="the corpus is tokenised already")
    parser.add_argument("--dim", type=positive, default=100, metavar="N", help="elements of a vector (100)")
    parser.add_argument("--min-count", type=positive, default=5, metavar="N", help="rarer words are left out (5)")
    parser.add_argument(
        "--window", type=positive, metavar="N", help="words to each side that count (5; glove: 10)"
    )
    parser.add_argument("--epochs", type=positive, metavar="N", help="(5; glove: 25)")
    parser.add_argument("--lr", type=float, help="learning rate (0.025; cbow and glove: 0.05)")
    parser.add_argument("--seed", type=int, default=1, help="(1)")
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")
    group = parser.add_argument_group("skip-gram, cbow and fasttext")
    group.add_argument(
        "--loss", choices=("ns", "hs"), help="negative sampling or hierarchical softmax (default: ns)"
    )
    group.add_argument("--negative", type=positive, metavar="N", help="negative samples of each word (5)")
    group.add_argument("--sample", type=float, metavar="T", help="threshold of sub-sampling (1e-4); 0: none")
    group.add_argument(
        "--threads", type=positive, metavar="N", help="with more than one no two runs are alike (1)"
    )
    group = parser.add_argument_group("fasttext")
    group.add_argument("--min-n", type=positive, metavar="N", help="characters of the shortest n-grams (3)")
    group.add_argument("--max-n", type=positive, metavar="N", help="and of the longest (6)")
    group.add_argument("--buckets", type=positive, metavar="N", help="rows that n-grams share (2000000)")
    group = parser.add_argument_group("glove")
    group.add_argument("--x-max", type=float, metavar="X", help="count from which on all weigh the same (100)")
    parser.set_defaults(run=run)


# Options that only some models have.
OF_WORD2VEC = ("loss", "negative", "sample", "threads")
OF_FASTTEXT = ("min_n", "max_n", "buckets")
OF_GLOVE = ("x_max",)


def run(arguments):
    refuse_others(arguments)
    from alone_fairseq.checkpoint.files import check_other_file, replacing
    from alone_fairseq.reconstruction.teachers.corpus import tokenized, write_tokens
    from alone_fairseq.vectors import dump_vectors

    check_other_file(arguments.output, *arguments.corpus)
    with replacing(arguments.output, arguments.force) as file, tempfile.TemporaryDirectory() as folder:
        tokens = Path(folder) / "tokens"
        with tqdm(desc="read", unit=" words", unit_scale=True, disable=None) as bar:
            lines = tokenized(arguments.corpus, not arguments.split_at_spaces, arguments.lower_case)
            count = write_tokens(lines, tokens, bar.update)
        vectors, parameters = (glove if arguments.model == "glove" else word2vec)(arguments, tokens)
        dump_vectors(file, vectors)
    words, dim = vectors.matrix.shape
    print(f"{arguments.output}: {words:,} words of {dim} elements, from a corpus of {count:,} words")
    if parameters != vectors.matrix.size:
        print(
            f"the model itself has {parameters:,} parameters, {4 * parameters:,} bytes in float32, for n-grams too"
        )


def refuse_others(arguments):
    """Options that the chosen model does not have, and values that make no sense."""
    given = {name for name in OF_WORD2VEC + OF_FASTTEXT + OF_GLOVE if getattr(arguments, name) is not None}
    allowed = {"glove": OF_GLOVE, "fasttext": OF_WORD2VEC + OF_FASTTEXT}.get(arguments.model, OF_WORD2VEC)
    for name in sorted(given.difference(allowed)):
        raise UserError(f"--{name.replace('_', '-')} is not for --model {arguments.model}")
    if arguments.loss == "hs" and arguments.negative:
        raise UserError("--negative is for --loss ns")
    check_above_zero("--lr", arguments.lr)
    check_above_zero("--x-max", arguments.x_max)
    check_seed(arguments.seed)
    if (arguments.min_n or 3) > (arguments.max_n or 6):
        raise UserError("--min-n must not be above --max-n")
    if arguments.sample is not None and not 0 <= arguments.sample < 1:
        raise UserError("--sample must be at least 0, and below 1")


def word2vec(arguments, tokens):
    from alone_fairseq.reconstruction.teachers.word2vec import Word2VecSettings, train

    epochs = arguments.epochs or 5
    settings = Word2VecSettings(
        skip_gram=arguments.model != "cbow",
        negative=0 if arguments.loss == "hs" else arguments.negative or 5,
        sample=1e-4 if arguments.sample is None else arguments.sample,
        dim=arguments.dim,
        window=arguments.window or 5,
        min_count=arguments.min_count,
        epochs=epochs,
        lr=arguments.lr,
        ngrams=(arguments.min_n or 3, arguments.max_n or 6) if arguments.model == "fasttext" else None,
        buckets=arguments.buckets or 2_000_000,
        threads=arguments.threads or 1,
        seed=arguments.seed,
    )
    with tqdm(desc="train", unit=" epochs", total=epochs, disable=None) as bar:
        return train(tokens, settings, bar.update)


def glove(arguments, tokens):
    from alone_fairseq.reconstruction.teachers.cooccurrence import cooccurrences
    from alone_fairseq.reconstruction.teachers.corpus import read_corpus
    from alone_fairseq.reconstruction.teachers.glove import GloVeSettings, train

    corpus = read_corpus(tokens, arguments.min_count)
    with tqdm(desc="count", unit=" words", unit_scale=True, total=len(corpus.ids), disable=None) as bar:
        counts = cooccurrences(corpus, arguments.window or 10, bar.update)
    settings = GloVeSettings(
        dim=arguments.dim,
        epochs=arguments.epochs or 25,
        lr=arguments.lr or 0.05,
        x_max=arguments.x_max or 100.0,
        seed=arguments.seed,
    )
    with tqdm(
        desc="train", unit=" cells", unit_scale=True, total=settings.epochs * counts.nnz, disable=None
    ) as bar:

        def progress(cells, loss):
            bar.update(cells)
            bar.set_postfix(loss=f"{loss:.4f}", refresh=False)

        vectors = train(corpus, counts, settings, progress)
    return vectors, vectors.matrix.size
