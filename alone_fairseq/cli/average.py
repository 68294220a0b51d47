"""``alone average``: the mean of a training's newest checkpoints."""

from alone_fairseq.checkpoint.average import average, newest_checkpoints
from alone_fairseq.checkpoint.files import check_other_file, replacing, save_checkpoint
from alone_fairseq.cli.arguments import positive


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "average",
        help="average the newest checkpoints of a training",
        description="Average the newest checkpoints of a training, by number of updates; checkpoint_best.pt"
        " and checkpoint_last.pt do not count. The result is loaded like any checkpoint of fairseq.",
        epilog="example: alone average --inputs checkpoints --last 10 --output checkpoints/averaged.pt",
    )
    parser.add_argument("--inputs", required=True, metavar="DIR", help="fairseq-train's --save-dir")
    parser.add_argument("--last", type=positive, default=10, metavar="N", help="how many (default: 10)")
    parser.add_argument("--output", required=True, metavar="F", help="checkpoint to write")
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")
    parser.set_defaults(run=run)


def run(arguments):
    paths = newest_checkpoints(arguments.inputs, arguments.last)
    check_other_file(arguments.output, *paths)
    with replacing(arguments.output, arguments.force) as file:
        for path in paths:
            print(path)
        save_checkpoint(average(paths), file)
