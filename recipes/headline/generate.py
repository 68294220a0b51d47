"""Generate pairs of text and headline: accidents that never were.

Each text holds the same facts as its longest headline. How many of them a headline holds is drawn at random, the
most important ones first, so that one model sees headlines of 14 to 109 characters. No text occurs twice.
"""

import argparse
import random
import sys
from pathlib import Path

from alone_fairseq.checkpoint.files import replacing
from alone_fairseq.errors import UserError

THINGS = """
ferry, school bus, cargo ship, night train, tram, fishing boat, small plane, oil tanker, delivery van, fire engine
mountain cable car, hot air balloon, police car, milk truck, glider, tug boat
"""
EVENTS = {  # in the text, and in a headline
    "overturned": "overturns",
    "caught fire": "catches fire",
    "broke down": "breaks down",
    "hit a bridge": "hits bridge",
    "lost its way": "loses its way",
    "came to a halt": "comes to a halt",
}
CAUSES = "heavy rain, thick fog, strong winds, deep snow, a thunderstorm, the dark, freezing rain, a sandstorm"
PLACES = "falkental, grenmund, isenhof, lauterbrunn, sandburg, tufweiler, nordsee, walkirch"
DAYS = "monday, tuesday, wednesday, thursday, friday, saturday, sunday"
SOURCES = "police, firefighters, witnesses, officials, residents, rescuers"
TEXTS = [
    "{source} said on {day} that {number} people were hurt when a {thing} {past} near {place} in {cause} .",
    "a {thing} {past} in {cause} near {place} on {day} , and {number} people were hurt , {source} said .",
    "{number} people were hurt on {day} near {place} , where a {thing} {past} in {cause} , {source} said .",
]
SIZES = {"train": 8000, "valid": 400, "test": 200}


def cards(text: str) -> list[str]:
    return [card for line in text.strip().splitlines() for card in line.split(", ")]


def pair(draw: random.Random) -> tuple[str, str]:
    """A text and one of its headlines."""
    thing, cause, day, source = (draw.choice(cards(text)) for text in (THINGS, CAUSES, DAYS, SOURCES))
    place = draw.choice(cards(PLACES))
    past, present = draw.choice(list(EVENTS.items()))
    number = draw.randint(2, 30)
    text = draw.choice(TEXTS)
    # In the order of the headline, with a rank: the lower, the more important.
    facts = [
        (0, f"{thing} {present}"),
        (1, f"near {place}"),
        (3, f"in {cause}"),
        (4, f"on {day}"),
        (2, f", {number} hurt"),
        (5, f", {source} say"),
    ]
    room = draw.randint(0, 5)
    headline = " ".join(fact for rank, fact in facts if rank <= room)
    known = {"thing": thing, "past": past, "place": place, "number": number, "cause": cause, "day": day}
    return text.format(**known, source=source).lower(), headline.lower()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="example: python recipes/headline/generate.py --output pairs"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="for train, valid and test.tsv")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="(1)")
    arguments = parser.parse_args()
    draw, seen = random.Random(arguments.seed), set()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name, size in SIZES.items():
        lines = []
        while len(lines) < size:
            text, headline = pair(draw)
            if text not in seen:
                seen.add(text)
                lines.append(f"{text}\t{headline}\n")
        with replacing(arguments.output / f"{name}.tsv", force=True) as file:
            file.write("".join(lines).encode())


if __name__ == "__main__":
    try:
        main()
    except (UserError, OSError) as error:
        sys.exit(f"{Path(__file__).name}: {error}")
