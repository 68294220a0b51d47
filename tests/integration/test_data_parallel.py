"""Data-parallel training: two processes do what one does with twice the batches in an update."""

import socket

import pytest
import torch
from commands import SMALL, TRAINING, start, train, weights

from alone_fairseq.vectors import Vectors, write_vectors

# Processes share a seed, so only without dropout do they see what one process sees.
SETTINGS = "--dropout 0 --attention-dropout 0 --activation-dropout 0 --max-update 3 --optimizer sgd --lr 0.5"


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("localhost", 0))
        return server.getsockname()[1]


FILTERS = [
    "real",
    "binary --alone-base-dim 140 --no-share-all-embeddings",
    "real --alone-center --alone-own-rows 20 --encoder-embed-path {}",
]


@pytest.mark.parametrize("filter", FILTERS)
def test_two_processes_equal_one(tiny_data, tmp_path, filter):
    """That each draws the same filters follows: with others the gradients would not fit together.

    So it does that each starts with what the first has fitted to vectors.
    """
    words = [text.split()[0] for text in (tiny_data / "dict.en.txt").read_text().splitlines()]
    write_vectors(tmp_path / "words.vec", Vectors(words, torch.randn(len(words), 64).numpy()))
    settings = f"{SETTINGS} --alone-filter {filter.format(tmp_path / 'words.vec')}"
    one = train(tiny_data, tmp_path / "one", f"{settings} --update-freq 2")
    line = f"{tiny_data} --save-dir {tmp_path}/two {TRAINING} {SMALL} --arch transformer_alone_tiny {settings}"
    line += f""" --distributed-world-size 2 --distributed-backend gloo --ddp-backend legacy_ddp
        --distributed-no-spawn --distributed-init-method tcp://localhost:{free_port()}"""
    ranks = [start("train", f"{line} --distributed-rank {rank}") for rank in range(2)]
    try:
        errors = [rank.communicate(timeout=200)[1] for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    assert [rank.returncode for rank in ranks] == [0, 0], errors
    one, two = weights(one), weights(tmp_path / "two/checkpoint_last.pt")
    assert one.keys() == two.keys()
    for key, value in one.items():
        torch.testing.assert_close(two[key], value, rtol=1e-4, atol=1e-6)
