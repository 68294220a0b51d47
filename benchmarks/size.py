"""Bytes of whole models, base Transformers with vocabularies of three sizes: on disk and in memory.

"embedding file" is the file of the embedding alone. "memory" counts parameters and filters, codes included;
"at inference" adds the matrix, and the copy of the weights that is kept beside it.
"""

import tempfile
from itertools import product
from pathlib import Path

import report
import torch
from fairseq import options, tasks
from fairseq.data import Dictionary
from synthetic import SPECIAL

import alone_fairseq

VOCABS = {"WMT": 37_000, "multilingual": 250_000, "a million": 1_000_000}
SYSTEMS = {
    "lookup": "--embedding lookup",
    "ALONE, D_inter = 4,096": "--alone-inter-dim 4096",
    "ALONE, D_inter = 8,192": "--alone-inter-dim 8192",
}


def build(dictionary: Dictionary, options_: str):
    user_dir = Path(alone_fairseq.__file__).parent
    line = f"data --user-dir {user_dir} --arch transformer_alone_wmt_en_de {options_}"
    settings = options.parse_args_and_arch(options.get_training_parser(), input_args=line.split())
    return tasks.TASK_REGISTRY["translation"](settings, dictionary, dictionary).build_model(settings)


def file_bytes(module: torch.nn.Module) -> int:
    with tempfile.NamedTemporaryFile() as file:
        torch.save(module.state_dict(), file)
        return file.tell()


def memory_bytes(module: torch.nn.Module) -> int:
    """Of parameters and buffers, those that are in no checkpoint included."""
    tensors = {t.data_ptr(): t for t in [*module.parameters(), *module.buffers()]}
    return sum(tensor.nbytes for tensor in tensors.values())


def measure(name: str, vocab: int, system: str) -> list[dict]:
    dictionary = Dictionary()
    for number in range(vocab - SPECIAL):
        dictionary.add_symbol(f"w{number}")
    model = build(dictionary, SYSTEMS[system]).eval()
    rows = []
    for precision in ("float32", "float16"):
        model.to(getattr(torch, precision))
        embedding = model.encoder.embed_tokens
        memory = memory_bytes(model)
        kept = 0
        if system != "lookup":
            kept = vocab * embedding.embedding_dim + sum(p.numel() for p in embedding.parameters())
            kept *= embedding.base.element_size()
        rows.append(
            {
                "vocabulary": f"{name}, {vocab:,}",
                "system": system,
                "type": precision,
                "embedding parameters": sum(p.numel() for p in embedding.parameters()),
                "embedding file": file_bytes(embedding),
                "model file": file_bytes(model),
                "memory": memory,
                "at inference": memory + kept,
            }
        )
    return rows


def main() -> None:
    arguments, _ = report.parse(report.parser(__doc__, "benchmarks/size.py", rounds=False), for_fairseq=False)
    rows, curves = [], {system: {} for system in SYSTEMS}
    for (name, vocab), system in product(VOCABS.items(), SYSTEMS):
        single, half = measure(name, vocab, system)
        rows += [single, half]
        curves[system][vocab] = single["model file"] / 1e6
    report.write("size", rows, arguments.output, gpu=False)
    report.draw("size", curves, "words", "model file in float32, MB", arguments.output, xscale="log", yscale="log")


if __name__ == "__main__":
    report.run(main)
