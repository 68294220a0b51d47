"""A model that is told how long its output shall be learns to stop there, and what to write from its source.

An output is so many times the letter that is the source, how many times for no reason that the source could give.
"""

import random
import re
from pathlib import Path

import pytest

import alone_fairseq

PLUGIN = f"--user-dir {Path(alone_fairseq.__file__).parent} --task headline_generation"
LENGTHS = (4, 8, 12)
LETTERS = "abcd"
TRAINING = f"""{PLUGIN} --arch transformer_alone_tiny --alone-relu-dropout 0 --dropout 0 --disable-validation
    --criterion cross_entropy --optimizer adam --lr 0.002 --lr-scheduler inverse_sqrt --warmup-updates 40
    --max-tokens 500 --max-update 200 --seed 1 --cpu --num-workers 0"""


@pytest.fixture(scope="module")
def data(tmp_path_factory, fairseq) -> Path:
    folder, draw = tmp_path_factory.mktemp("lengths"), random.Random(1)
    for split, count in (("train", 2000), ("test", 8)):
        letters = [draw.choice(LETTERS) for _ in range(count)]
        (folder / f"{split}.text").write_text("".join(f"{letter}\n" for letter in letters))
        titles = "".join(f"{f'{letter} ' * draw.choice(LENGTHS)}\n" for letter in letters)
        (folder / f"{split}.title").write_text(titles)
    texts = f"--trainpref {folder}/train --testpref {folder}/test"
    fairseq("preprocess", f"-s text -t title {texts} --joined-dictionary --destdir {folder}/data")
    return folder / "data"


def test_outputs_are_of_the_source_and_stop_at_the_wanted_length(data, fairseq, tmp_path):
    fairseq("train", f"{data} --save-dir {tmp_path} {TRAINING} --length-control lrpe --length-control-pe")
    wanted = [*LENGTHS, *LENGTHS, *LENGTHS[:2]]
    (tmp_path / "wanted").write_text("".join(f"{length}\n" for length in wanted))
    search = f"{PLUGIN} --path {tmp_path}/checkpoint_last.pt --cpu --beam 1"
    log = fairseq("generate", f"{data} {search} --desired-length {tmp_path}/wanted")
    sources = dict(re.findall(r"^S-(\d+)\t(.*)$", log, re.M))
    found = dict(re.findall(r"^H-(\d+)\t\S+\t(.*)$", log, re.M))
    assert len(set(sources.values())) > 1
    for line, length in enumerate(wanted):
        assert found[str(line)].split() == [sources[str(line)]] * length
