"""``alone tagging``: part-of-speech tagging with vectors of characters, words, or both."""

import json
import math
from dataclasses import asdict, replace
from itertools import product

from tqdm import tqdm

from alone_fairseq.cli.arguments import check_above_zero, check_seed, positive
from alone_fairseq.errors import UserError

MODELS = ("full", "full+emb", "char")
GRID = ((0.0001, 0.0002, 0.0003, 0.0004, 0.0005), (0.1, 0.2, 0.3, 0.4, 0.5))  # Stratos (2017), Section 5


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "tagging",
        help="train and score a part-of-speech tagger on vectors of characters, words, or both",
        description="Train a BiLSTM tagger and print its accuracy in the epoch that is best on dev."
        " full: vectors of words and of their characters; full+emb: those of words begin as a teacher's; char:"
        " characters only. With --student the vectors of characters begin as a trained student's: CHAR(D) of"
        " Stratos (2017), Table 3. Text: CoNLL-U, or a word a line, with tabs between word and tags.",
        epilog="example: alone tagging --train train.conllu --dev dev.conllu --test test.conllu --model char"
        " --student student.pt",
    )
    parser.add_argument("--train", required=True, metavar="FILE", help="tagged text to learn from")
    parser.add_argument("--dev", required=True, metavar="FILE", help="tagged text to choose by")
    parser.add_argument("--test", required=True, metavar="FILE", help="tagged text to score")
    parser.add_argument("--model", required=True, choices=MODELS)
    parser.add_argument("--student", metavar="F", help="a trained student of characters or n-grams")
    parser.add_argument("--vectors", metavar="F", help="the teacher's vectors, for full+emb")
    parser.add_argument(
        "--tag-column", type=positive, metavar="N", help="counted from 1 (CoNLL-U: 5, XPOS; else the last)"
    )
    parser.add_argument("--dim", type=positive, metavar="N", help="elements of a vector without --student (100)")
    parser.add_argument("--hidden-dim", type=positive, default=100, metavar="N", help="of the BiLSTM (100)")
    parser.add_argument("--lr", type=float, help="learning rate of Adam (0.001)")
    parser.add_argument("--dropout", type=float, help="at all LSTMs (0.3)")
    parser.add_argument("--grid", action="store_true", help="choose both by dev, of the 5 x 5 values of the paper")
    parser.add_argument("--batch-size", type=positive, default=16, metavar="N", help="sentences (16)")
    parser.add_argument("--epochs", type=positive, default=10, metavar="N", help="(10)")
    parser.add_argument("--seed", type=int, default=1, help="(1)")
    parser.add_argument("--cpu", action="store_true", help="use no GPU even if there is one")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(run=run)


def run(arguments):
    check(arguments)
    import torch

    from alone_fairseq.evaluation import tagging
    from alone_fairseq.evaluation.tagged_text import read_tagged
    from alone_fairseq.vectors import read_vectors

    paths = {"train": arguments.train, "dev": arguments.dev, "test": arguments.test}
    data = tagging.Data({name: read_tagged(path, arguments.tag_column) for name, path in paths.items()})
    data.check_tags()
    teacher = read_vectors(arguments.vectors) if arguments.vectors else None
    settings = tagging.TaggerSettings(
        lr=arguments.lr or 0.001,
        dropout=0.3 if arguments.dropout is None else arguments.dropout,
        hidden_dim=arguments.hidden_dim,
        batch_size=arguments.batch_size,
        epochs=arguments.epochs,
        seed=arguments.seed,
    )
    choices = [settings]
    if arguments.grid:
        choices = [replace(settings, lr=lr, dropout=dropout) for lr, dropout in product(*GRID)]
    device = "cuda" if torch.cuda.is_available() and not arguments.cpu else "cpu"
    results = []
    total = len(choices) * settings.epochs * len(data.sets["train"])
    with tqdm(unit=" sentences", unit_scale=True, total=total, disable=None) as bar:

        def progress(sentences, dev):
            bar.update(sentences)
            if dev is not None:
                bar.set_postfix(dev=f"{dev:.2%}", refresh=False)

        for choice in choices:
            student = build(arguments, data, choice, teacher)
            results.append(
                tagging.train(data, student, choice, arguments.model != "char", teacher, device, progress)
            )
    best = max(results, key=lambda result: result.dev)
    if arguments.json:
        report = asdict(best) | {"new_words": None if math.isnan(best.new_words) else best.new_words}
        print(
            json.dumps({"model": arguments.model, "student": arguments.student, "tags": len(data.tags)} | report)
        )
        return
    if arguments.grid:
        for result in results:
            print(f"lr {result.settings.lr}, dropout {result.settings.dropout}: dev {result.dev:.2%}")
    print_text(best, len(data.tags))


def check(arguments):
    if (arguments.vectors is not None) != (arguments.model == "full+emb"):
        raise UserError("--vectors, the teacher's, and --model full+emb belong together")
    if arguments.student and arguments.dim:
        raise UserError("--dim is that of the student; leave it out")
    if arguments.grid and (arguments.lr or arguments.dropout is not None):
        raise UserError("--grid chooses --lr and --dropout; leave these out")
    check_above_zero("--lr", arguments.lr)
    check_seed(arguments.seed)
    if arguments.dropout is not None and not 0 <= arguments.dropout < 1:
        raise UserError("--dropout must be 0 or more and below 1")


def build(arguments, data, settings, teacher):
    """A new character BiLSTM, with as many elements as the teacher's vectors, or a trained student."""
    import torch

    from alone_fairseq.reconstruction.config import StudentConfig, build_student
    from alone_fairseq.reconstruction.student_file import load_student

    if arguments.student:
        return load_student(arguments.student)
    torch.manual_seed(settings.seed)
    dim = arguments.dim or (teacher.matrix.shape[1] if teacher else 100)
    return build_student(StudentConfig(student="char-bilstm"), sorted(data.counts), dim)


def print_text(best, tags):
    new_words = "none" if math.isnan(best.new_words) else f"{best.new_words:.2%}"
    print(f"dev         {best.dev:.2%}, in epoch {best.epoch} of {best.settings.epochs}")
    print(f"test        {best.test:.2%}, of words that are not in the training data {new_words}")
    print(f"tags        {tags}")
    print(f"lookup      {best.lookup:,} rows")
    print(f"parameters  {best.parameters:,}")
    print(f"setting     lr {best.settings.lr}, dropout {best.settings.dropout}, seed {best.settings.seed}")
