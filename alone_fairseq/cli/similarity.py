"""``alone similarity``: word vectors against people's judgements of word pairs."""

import json
import math
from dataclasses import asdict
from statistics import fmean

from alone_fairseq.cli.arguments import add_learnt_only, positive
from alone_fairseq.cli.tables import aligned, print_sizes, sizes


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "similarity",
        help="compare vectors with people's judgements of word similarity",
        description="Spearman's rho between people's scores of word pairs and the cosines of the words' vectors,"
        " with a 95 % confidence interval (bootstrap) and the number of pairs whose words both have vectors."
        " Vectors: word2vec, GloVe, fastText's .vec, .npz, or a student, checkpoint or small file, whose own"
        " parameters count then. Pairs: word, word, score a line, as SimLex-999, WordSim-353, RG-65, MC-30, MEN"
        " and Rare Words come. Shares are those of the first vectors; a mean is of sets of which all vectors have"
        " 100 pairs or more, for chance rules the others.",
        epilog="example: alone similarity --vectors teacher.vec student.pt --pairs SimLex-999.txt MEN.txt",
    )
    parser.add_argument("--vectors", required=True, nargs="+", metavar="F", help="teacher and students")
    parser.add_argument("--pairs", required=True, nargs="+", metavar="FILE", help="sets of word pairs")
    parser.add_argument("--limit", type=positive, metavar="N", help="use the first N words of each file only")
    parser.add_argument(
        "--lower-case",
        action="store_true",
        help="of pairs and vectors; a word's own vector in lower case counts, else its most frequent spelling's",
    )
    add_learnt_only(parser)
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(run=run)


def run(arguments):
    # Imported here, for SciPy takes a while.
    from alone_fairseq.evaluation import similarity
    from alone_fairseq.evaluation.spaces import open_spaces

    sets = similarity.read_sets(arguments.pairs)
    names = [pairs.name for pairs in sets]
    if arguments.lower_case:
        sets = [similarity.lower_cased_pairs(pairs) for pairs in sets]
    wanted = {word for pairs in sets for pair in pairs.pairs for word in pair}
    wanted = () if arguments.learnt_only else wanted
    spaces = open_spaces(arguments.vectors, wanted, arguments.lower_case, arguments.limit)
    results = {
        space.name: {pairs.name: similarity.similarity(space.vectors, pairs) for pairs in sets} for space in spaces
    }
    if arguments.json:
        print(json.dumps({space.name: as_json(space, results[space.name]) for space in spaces}, indent=2))
    else:
        print_text(spaces, names, results, arguments.limit, similarity.FEWEST)


def as_json(space, results):
    sets = {
        name: {key: None if value != value else value for key, value in asdict(result).items()}  # no NaN in JSON
        for name, result in results.items()
    }
    return sizes(space) | {"sets": sets}


def print_text(spaces, names, results, limit, fewest):
    print_sizes(spaces, limit)
    first = results[spaces[0].name]
    rows = [("set", "vectors", "pairs", "rho", "95 % interval", "of the first")]
    for name in names:
        for space in spaces:
            found = results[space.name][name]
            interval = "" if math.isnan(found.rho) else f"{found.low:.3f} to {found.high:.3f}"
            share = of_the_first(found.rho, first[name].rho)
            rows.append(
                (name, space.name, f"{found.pairs:,} of {found.total:,}", shown(found.rho), interval, share)
            )
    large = [name for name in names if min(found[name].pairs for found in results.values()) >= fewest]
    if len(large) > 1:
        for space in spaces:
            rho, whole = (fmean(results[one.name][name].rho for name in large) for one in (space, spaces[0]))
            title = f"mean of {len(large)} with {fewest} pairs"
            rows.append((title, space.name, "", shown(rho), "", of_the_first(rho, whole)))
    print()
    print(aligned(rows))


def of_the_first(rho, first):
    return f"{rho / first:.1%}" if first > 0 and not math.isnan(rho) else ""


def shown(rho):
    return "none" if math.isnan(rho) else f"{rho:.3f}"
