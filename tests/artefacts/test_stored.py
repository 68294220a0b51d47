"""The stored checkpoints give to the last digit what they gave when they were made."""

import json

import pytest
import torch
from stored import HERE, MODELS, load, results


@pytest.mark.parametrize("name", MODELS)
def test_stored_checkpoints_give_what_they_gave(name):
    expected = json.loads((HERE / "expected.json").read_text())[name]
    found = results(load(name))
    for exact in ("fingerprint", "filters"):
        assert found[exact] == expected[exact]
    for rounded in ("embeddings", "scores"):
        values = torch.tensor(found[rounded]), torch.tensor(expected[rounded])
        torch.testing.assert_close(*values, rtol=1e-5, atol=1e-6)
