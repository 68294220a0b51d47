"""``alone analogy``: word vectors on analogy questions."""

import json
import math

from tqdm import tqdm

from alone_fairseq.cli.arguments import add_learnt_only, positive
from alone_fairseq.cli.tables import aligned, print_sizes, sizes, warn_of_unlike


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "analogy",
        help="answer analogy questions with vectors",
        description="Answer analogy questions, a is to b as c is to which word, by 3CosMul and 3CosAdd. Questions:"
        " four words a line, with sections as in questions-words.txt, whose semantic and syntactic parts are"
        " counted apart, or without, as in the 8,000 syntactic ones of Microsoft. Questions with a word that has"
        " no vector are left out; accuracy is that of the others.",
        epilog="example: alone analogy --vectors teacher.vec student.pt --questions questions-words.txt",
    )
    parser.add_argument("--vectors", required=True, nargs="+", metavar="F", help="teacher and students")
    parser.add_argument("--questions", required=True, nargs="+", metavar="FILE")
    parser.add_argument("--limit", type=positive, metavar="N", help="use the first N words of each file only")
    parser.add_argument("--lower-case", action="store_true", help="of questions and vectors")
    add_learnt_only(parser)
    parser.add_argument("--sections", action="store_true", help="print a line for each section")
    parser.add_argument("--json", action="store_true", help="as JSON, with all sections")
    parser.set_defaults(run=run)


def run(arguments):
    from alone_fairseq.evaluation import analogy
    from alone_fairseq.evaluation.spaces import open_spaces

    sections = analogy.read_files(arguments.questions)
    if arguments.lower_case:
        sections = analogy.lower_cased_questions(sections)
    wanted = {word for section in sections for question in section.questions for word in question}
    wanted = () if arguments.learnt_only else wanted
    spaces = open_spaces(arguments.vectors, wanted, arguments.lower_case, arguments.limit)
    warn_of_unlike(spaces)
    results = {}
    total = len(spaces) * sum(len(section.questions) for section in sections)
    with tqdm(unit=" questions", unit_scale=True, total=total, disable=None) as bar:
        for space in spaces:
            results[space.name] = [(one, analogy.answer(space.vectors, one, bar.update)) for one in sections]
    sums = {name: analogy.add_up(found) for name, found in results.items()}
    if arguments.json:
        print(json.dumps({one.name: as_json(one, results[one.name], sums[one.name]) for one in spaces}, indent=2))
        return
    print_sizes(spaces, arguments.limit)
    if arguments.sections:
        print_results(spaces, {name: named(found) for name, found in results.items()})
    print_results(spaces, sums)


def named(results):
    return {f"{section.group}: {section.name}": result for section, result in results}


def as_json(space, results, sums):
    groups = {name: numbers(result) for name, result in sums.items()}
    return sizes(space) | {
        "groups": groups,
        "sections": {name: numbers(found) for name, found in named(results).items()},
    }


def numbers(result):
    scores = {method: result.accuracy(method) if result.found else None for method in result.correct}
    return scores | {"correct": result.correct, "questions": result.found, "total": result.total}


def print_results(spaces, results):
    from alone_fairseq.evaluation.analogy import METHODS

    rows = [("questions", "vectors", "found", *METHODS)]
    for name in results[spaces[0].name]:
        for space in spaces:
            found = results[space.name][name]
            scores = (shown(found.accuracy(method)) for method in METHODS)
            rows.append((name, space.name, f"{found.found:,} of {found.total:,}", *scores))
    print()
    print(aligned(rows))


def shown(accuracy):
    return "none" if math.isnan(accuracy) else f"{accuracy:.2%}"
