"""The lookup and factorized baselines, behind the same interface."""

import pytest
import torch

from alone_fairseq.baselines import FactorizedEmbedding, LookupEmbedding
from alone_fairseq.errors import UserError

WORDS, D_E, R = 4000, 64, 16


def build(kind):
    torch.manual_seed(0)
    if kind == "lookup":
        return LookupEmbedding(WORDS, D_E, 1)
    return FactorizedEmbedding(WORDS, D_E, 1, factorized_dim=R)


@pytest.mark.parametrize("kind", ["lookup", "factorized"])
def test_looked_up_tokens_and_scores_are_those_of_the_matrix(kind):
    embedding = build(kind)
    matrix = embedding.matrix()
    assert matrix.shape == (WORDS, D_E)
    tokens = torch.tensor([[3, 1, 3999], [0, 3, 2]])
    torch.testing.assert_close(embedding(tokens), matrix[tokens])
    features = torch.sin(torch.arange(2 * D_E, dtype=torch.float32)).view(2, D_E)
    torch.testing.assert_close(embedding.project(features), features @ matrix.t())


@pytest.mark.parametrize("kind", ["lookup", "factorized"])
def test_starts_with_the_deviation_of_fairseq_s_embedding(kind):
    matrix = build(kind).matrix()
    assert matrix[1].eq(0).all()
    assert abs(matrix[2:].std().item() / D_E**-0.5 - 1) < 0.05


@pytest.mark.parametrize("kind", ["lookup", "factorized"])
def test_input_and_output_are_one_set_of_parameters(kind):
    embedding = build(kind)
    with torch.no_grad():
        embedding.table[7] *= 2
    features = torch.ones(D_E)
    torch.testing.assert_close(embedding.project(features)[7], embedding(torch.tensor(7)) @ features)


@pytest.mark.parametrize("kind", ["lookup", "factorized"])
def test_the_padding_row_of_the_table_stays_zero(kind):
    embedding = build(kind)
    embedding(torch.tensor([1, 2])).sum().backward()
    assert embedding.table.grad[1].eq(0).all()
    assert embedding.table.grad[2].ne(0).any()


@pytest.mark.parametrize("kind", ["lookup", "factorized"])
@pytest.mark.parametrize("token", [-1, WORDS])
def test_a_token_out_of_range_is_named(kind, token):
    with pytest.raises(IndexError, match=f"token {token} is not one of the {WORDS} words"):
        build(kind)(torch.tensor([5, token]))


def test_parameters_of_table_2():
    count = sum(p.numel() for p in FactorizedEmbedding(32768, 512, factorized_dim=128).parameters())
    assert count == 4_259_840
    assert sum(p.numel() for p in FactorizedEmbedding(32768, 512, factorized_dim=256).parameters()) == 8_519_680
    assert sum(p.numel() for p in LookupEmbedding(32768, 512).parameters()) == 16_777_216


def test_a_factorized_table_needs_columns():
    with pytest.raises(UserError, match="--factorized-dim.* must be 1 or more"):
        FactorizedEmbedding(10, 4, factorized_dim=0)
