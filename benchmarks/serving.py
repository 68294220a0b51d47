"""A trained model as it is served, a sentence at a time: fairseq's search against CTranslate2's, on real text.

The search is that of fairseq-generate --max-sentences 1, without its start. Beam 5; as many threads for each.
"""

import tempfile
import time
from functools import partial
from pathlib import Path

import report
import torch

from alone_fairseq.export import ctranslate2_folder
from alone_fairseq.export.plain import load_plain
from alone_fairseq.export.search import CheckText, Search, fairseq_search

QUANTIZATIONS = ("float32", "int8")
BEAM = 5


def ctranslate2_search(folder: Path) -> Search:
    from ctranslate2 import Translator

    translator = Translator(str(folder), device="cpu", intra_threads=torch.get_num_threads())
    return lambda tokens: translator.translate_batch([tokens], beam_size=BEAM)[0].hypotheses[0]


def seconds_to_translate(search: Search, sentences: list[list[str]]) -> float:
    start = time.perf_counter()
    for tokens in sentences:
        search(tokens)
    return time.perf_counter() - start


def main() -> None:
    parser = report.parser(__doc__, "benchmarks/serving.py --checkpoint averaged.pt --data BIN --text test.en")
    parser.add_argument("--checkpoint", required=True, metavar="F", help="a translation model")
    parser.add_argument("--data", required=True, type=Path, metavar="BIN", help="its data, with tokenizer.json")
    parser.add_argument("--text", required=True, type=Path, metavar="FILE", help="raw text, a sentence a line")
    parser.add_argument("--sentences", type=report.positive, default=100, help="of the text, the first ones (100)")
    arguments, _ = report.parse(parser, for_fairseq=False)
    plain = load_plain(arguments.checkpoint, arguments.data)
    sentences = CheckText(arguments.text, BEAM).sentences(plain, arguments.data)
    sentences = sentences[: arguments.sentences]
    searches = {"fairseq": fairseq_search(plain, BEAM)}
    with tempfile.TemporaryDirectory() as name:
        for quantization in QUANTIZATIONS:
            folder = Path(name) / quantization
            ctranslate2_folder.write(plain, arguments.data, folder, False, quantization)
            searches[f"CTranslate2, {quantization}"] = ctranslate2_search(folder)
        steps = {system: partial(seconds_to_translate, search, sentences) for system, search in searches.items()}
        seconds = report.medians(steps, arguments.rounds)
    rows = [
        {
            "system": system,
            "sentences/s": f"{len(sentences) / taken:.2f}",
            "× fairseq's speed": f"{seconds['fairseq'] / taken:.2f}",
        }
        for system, taken in seconds.items()
    ]
    report.write("serving", rows, arguments.output, gpu=False)


if __name__ == "__main__":
    report.run(main)
