"""A made-up corpus of some 200 sentence pairs, and a model trained on it for some seconds."""

import json
import random
from itertools import permutations, product
from pathlib import Path

import pytest
import torch
from fairseq import options
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq_cli import preprocess, train

import alone_fairseq
from alone_fairseq.text import TextPipeline, TextSettings

NOUNS = [("man", "Mann"), ("dog", "Hund"), ("tree", "Baum"), ("bird", "Vogel"), ("table", "Tisch")]
VERBS = [("sees", "sieht"), ("finds", "findet"), ("likes", "mag"), ("draws", "malt")]
ENDINGS = [("", ""), (", doesn't he", ", oder"), (" today and tomorrow", " heute und morgen")]
TOKENIZER = {"version": 1, "source_lang": "en", "target_lang": "de", "tokenizer": "moses"}
torch.set_num_threads(1)  # at this size threads cost more than they bring

MAX_POSITIONS = 40  # tokens of a sentence that the tiny model takes


def sentence_pairs() -> list[tuple[str, str]]:
    """240 different English sentences with their translations, in the same mixed order each time."""
    pairs = [
        (f"The {who[0]} {does[0]} the {what[0]}{end[0]}.", f"Der {who[1]} {does[1]} den {what[1]}{end[1]}.")
        for (who, what), does, end in product(permutations(NOUNS, 2), VERBS, ENDINGS)
    ]
    random.Random(1).shuffle(pairs)
    return pairs


@pytest.fixture(scope="session")
def tiny_text() -> dict[str, list[tuple[str, str]]]:
    """Raw sentence pairs, (English, German), of train, valid and test."""
    pairs = sentence_pairs()
    return {"train": pairs[:200], "valid": pairs[200:220], "test": pairs[220:]}


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory, tiny_text) -> Path:
    """The folder that fairseq-preprocess makes of ``tiny_text``, word by word, with ``tokenizer.json``."""
    folder = tmp_path_factory.mktemp("tiny")
    data = folder / "data"
    data.mkdir()
    (data / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    settings = TextSettings.load(data / "tokenizer.json")
    for split, pairs in tiny_text.items():
        for lang, sentences in zip(("en", "de"), zip(*pairs, strict=True), strict=True):
            encode = TextPipeline(settings, lang).encode
            (folder / f"{split}.{lang}").write_text("".join(f"{encode(line)}\n" for line in sentences))
    prefixes = [part for split in tiny_text for part in (f"--{split}pref", str(folder / split))]
    arguments = ["-s", "en", "-t", "de", "--destdir", str(data), "--joined-dictionary", *prefixes]
    preprocess.main(options.get_preprocessing_parser().parse_args(arguments))
    return data


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory, tiny_data) -> Path:
    """A ``transformer_alone_tiny`` that has learnt ``tiny_data`` well enough to end its sentences.

    It takes MAX_POSITIONS tokens. In its folder are the checkpoints of the epochs 5, 10, 15 and 20, of two
    updates each.
    """
    folder = tmp_path_factory.mktemp("checkpoints")
    arguments = f"""{tiny_data} --save-dir {folder} --user-dir {Path(alone_fairseq.__file__).parent}
        --arch transformer_alone_tiny --max-source-positions {MAX_POSITIONS} --max-target-positions 60
        --criterion cross_entropy --dropout 0 --max-tokens 1200 --max-update 40
        --optimizer adam --lr 0.005 --lr-scheduler inverse_sqrt --warmup-updates 10
        --disable-validation --save-interval 5 --cpu --num-workers 0 --seed 1"""
    parsed = options.parse_args_and_arch(options.get_training_parser(), input_args=arguments.split())
    train.main(convert_namespace_to_omegaconf(parsed))
    return folder / "checkpoint_last.pt"
