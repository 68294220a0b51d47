"""``alone params``: sizes of lookup, factorized and ALONE embeddings side by side, and of a checkpoint."""

import json
from dataclasses import asdict, fields, replace
from pathlib import Path

from alone_fairseq.checkpoint.contents import read_contents
from alone_fairseq.checkpoint.files import settings_of
from alone_fairseq.cli.arguments import positive
from alone_fairseq.errors import UserError
from alone_fairseq.filters import KINDS
from alone_fairseq.sizes import Sizes, compare, factorized_dim_like

LEGEND = """\
with filters: values, as Table 1 of the paper counts them. checkpoint: in float32, and in half precision.
filters, kept, in all: memory at inference, in float32; ALONE keeps the matrix that it has computed, and a copy
of the weights to notice when they change.
"""


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "params",
        help="sizes of a checkpoint, and of lookup, factorized and ALONE embeddings side by side",
        description="Report a checkpoint's parameters and bytes, and compare the sizes of lookup, factorized"
        " and ALONE embeddings. Sizes that are not given are the checkpoint's, or else the paper's.",
        epilog="examples: alone params --vocab 37000 --dim 512 --inter-dim 4096;"
        " alone params checkpoints/checkpoint_best.pt --data BIN",
    )
    parser.add_argument("checkpoint", nargs="?", metavar="CHECKPOINT", help="a checkpoint of fairseq")
    parser.add_argument("--data", type=Path, metavar="BIN", help="binarised data, whose dictionaries give V")
    for option, meaning in (
        ("--vocab", "V, words"),
        ("--dim", "D_e, elements of an embedding"),
        ("--base-dim", "D_o, elements of the base embedding (default: D_e)"),
        ("--inter-dim", "D_inter, width of the hidden layers (default: 4096)"),
        ("--layers", "layers of the network (default: 2)"),
        ("--codes", "c, columns of a codebook (default: 64)"),
        ("--factorized-dim", "r (default: such that factorized has as many parameters as ALONE)"),
    ):
        parser.add_argument(option, type=positive, metavar="N", help=meaning)
    parser.add_argument(
        "--codebooks", type=int, metavar="N", help="M; 0: an independent filter for each word (default: 8)"
    )
    parser.add_argument("--filter", choices=KINDS, help="kind of filter (default: real)")
    parser.add_argument("--own-rows", type=int, metavar="N", help="words with rows of their own (default: 0)")
    parser.add_argument("--center", action="store_true", default=None, help="with --alone-center's bias")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(arguments):
    if arguments.vocab and arguments.data:
        raise UserError("give --vocab or --data, not both")
    given = {
        field.name: value for field in fields(Sizes) if (value := getattr(arguments, field.name, None)) is not None
    }
    contents, languages, embeddings = None, {}, {"": {}}
    if arguments.checkpoint:
        contents, state = read_contents(arguments.checkpoint)
        task = settings_of(state, "task")
        languages = {"encoder": task.get("source_lang"), "decoder": task.get("target_lang")}
        embeddings = contents.embeddings
    elif not (arguments.dim and (arguments.vocab or arguments.data)):
        raise UserError("give a CHECKPOINT, or --vocab and --dim")
    tables, unknown = {}, []
    for name, measured in embeddings.items():
        known = {**measured, **given}
        if arguments.data:
            known["vocab"] = vocabulary(arguments.data, languages, name.partition(".")[0])
        if "vocab" not in known:
            unknown.append(name)
        elif "dim" in known:
            tables[name] = complete(known)
    if arguments.json:
        print_json(contents, tables)
    else:
        print_text(contents, tables, unknown)


def complete(known):
    """``Sizes`` from those that are known: D_o is D_e, and r makes factorized as large as ALONE."""
    try:
        sizes = Sizes(**{"base_dim": known["dim"], **known})
    except UserError as error:  # which speaks of fairseq-train's options
        raise UserError(str(error).replace("--alone-", "--")) from None
    if "factorized_dim" in known:
        return sizes
    return replace(sizes, factorized_dim=factorized_dim_like(sizes.alone_parameters, sizes.vocab, sizes.dim))


def vocabulary(data, languages, side):
    """Number of words in the dictionaries of ``data``, or in that of one side where they differ."""
    from fairseq.data import Dictionary, data_utils  # takes seconds, and may be broken

    paths = sorted(data.glob("dict.*txt"))
    if not paths:
        raise UserError(f"{data}: no dict.*.txt in it; --data must be what fairseq-preprocess wrote")
    try:
        words = {path.name: len(Dictionary.load(str(path))) for path in paths}
    except (ValueError, RuntimeError) as error:
        raise UserError(f"{data}: {error}; run fairseq-preprocess again") from error
    if len(set(words.values())) > 1:
        inferred = dict(zip(("encoder", "decoder"), data_utils.infer_language_pair(data), strict=True))
        name = f"dict.{languages.get(side) or inferred.get(side)}.txt"
        if name not in words:
            raise UserError(f"{data}: its dictionaries differ in size; give --vocab instead")
        return words[name]
    return words[paths[0].name]


def print_json(contents, tables):
    report = {} if contents is None else {"checkpoint": asdict(contents)}
    report["tables"] = [
        {"embedding": name, "sizes": asdict(sizes), "rows": [row(cost, sizes) for cost in compare(sizes)]}
        for name, sizes in tables.items()
    ]
    print(json.dumps(report, indent=2))


def row(cost, sizes):
    return {
        "embedding": cost.embedding,
        "parameters": cost.parameters,
        "share_of_lookup": cost.parameters / (sizes.vocab * sizes.dim),
        "with_filters": cost.parameters + cost.filters,
        "checkpoint_bytes": 4 * (cost.saved + cost.given),
        "checkpoint_bytes_half": 2 * (cost.saved + cost.given),
        "filter_bytes": cost.filter_bytes,
        "kept_bytes": 4 * cost.kept,
        "memory_bytes": cost.memory_bytes,
    }


def print_text(contents, tables, unknown):
    if contents is not None:
        print_contents(contents)
    for name, sizes in tables.items():
        print_table(name, sizes)
    if tables:
        print(LEGEND, end="")
    if unknown:
        print(f"{', '.join(unknown)}: the checkpoint does not tell how many words; add --data BIN or --vocab N")


def print_contents(contents):
    share = contents.embedding_parameters / contents.parameters
    rest = contents.file_bytes - contents.model_bytes
    updates = "not recorded" if contents.updates is None else f"{contents.updates:,}"
    print(f"updates     {updates}")
    print(f"parameters  {contents.parameters:,}, {contents.trained:,} of them trained")
    print(f"embedding   {contents.embedding_parameters:,}, {share:.1%} of the parameters")
    if contents.teacher_values:
        share = contents.embedding_parameters / contents.teacher_values
        print(f"teacher     {contents.teacher_values:,} values; the student has {share:.1%} of them")
    print(f"file        {readable(contents.file_bytes)}: the model {readable(contents.model_bytes)},", end=" ")
    print(f"its embedding {readable(contents.embedding_bytes)}; optimizer and the rest {readable(rest)}\n")


def print_table(name, sizes):
    hidden = f" D_inter = {sizes.inter_dim:,}," if sizes.layers > 1 else ""
    filters = "given" if sizes.given else "independent"
    if sizes.codebooks:
        filters = f"M = {sizes.codebooks}, c = {sizes.codes}"
    print(
        f"{name + ': ' if name else ''}V = {sizes.vocab:,}, D_e = {sizes.dim:,}; ALONE with"
        f" D_o = {sizes.base_dim:,},{hidden} L = {sizes.layers}, {sizes.filter} filters, {filters}\n"
    )
    heads = ("parameters", "of lookup", "with filters", "checkpoint", "in half", "filters", "kept", "in all")
    line = "{:22} {:>13} {:>10} {:>13} {:>10} {:>9} {:>9} {:>9} {:>9}"
    print(line.format("", *heads))
    for cost in compare(sizes):
        parameters, share, values, *sizes_in_bytes = list(row(cost, sizes).values())[1:]
        numbers = f"{parameters:,}", f"{share:.1%}", f"{values:,}", *map(readable, sizes_in_bytes)
        print(line.format(cost.embedding, *numbers))
    print()


def readable(count):
    """Bytes in the unit that suits them."""
    if not count:
        return "-"
    if count >= 1e9:
        return f"{count / 1e9:,.2f} GB"
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{count / 1e3:,.1f} kB"
