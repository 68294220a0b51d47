"""``alone neighbours``: the nearest words in one or several vector spaces."""

import json

from alone_fairseq.cli.arguments import add_learnt_only, positive
from alone_fairseq.cli.tables import warn_of_unlike
from alone_fairseq.errors import UserError


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "neighbours",
        help="show words' nearest neighbours",
        description="The words whose vectors have the highest cosines with a given word's, a line for each file.",
        epilog="example: alone neighbours london flu --vectors teacher.vec student.pt",
    )
    parser.add_argument("words", nargs="+", metavar="WORD")
    parser.add_argument("--vectors", required=True, nargs="+", metavar="F", help="teacher and students")
    parser.add_argument("--count", type=positive, default=7, metavar="N", help="neighbours of each word (7)")
    parser.add_argument("--limit", type=positive, metavar="N", help="use the first N words of each file only")
    parser.add_argument("--lower-case", action="store_true", help="of words and vectors")
    add_learnt_only(parser)
    parser.add_argument("--json", action="store_true", help="as JSON, with the cosines")
    parser.set_defaults(run=run)


def run(arguments):
    from alone_fairseq.evaluation.neighbours import neighbours
    from alone_fairseq.evaluation.spaces import open_spaces

    words = [word.lower() if arguments.lower_case else word for word in arguments.words]
    wanted = () if arguments.learnt_only else words
    spaces = open_spaces(arguments.vectors, wanted, arguments.lower_case, arguments.limit)
    for word in words:
        if not any(word in space.vectors.index for space in spaces):
            raise UserError(
                f"no vectors have the word {word!r}" + ("" if arguments.lower_case else case_hint(word))
            )
    found = {
        word: {
            space.name: neighbours(space.vectors, word, arguments.count)
            for space in spaces
            if word in space.vectors.index
        }
        for word in words
    }
    warn_of_unlike(spaces)
    if arguments.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for word in words:
        for space in spaces:
            nearest = found[word].get(space.name)
            shown = "(no vector)" if nearest is None else " ".join(other for other, _ in nearest)
            print(f"{word}\t{space.name}\t{shown}")


def case_hint(word):
    return "" if word == word.lower() else "; --lower-case looks for it in lower case"
