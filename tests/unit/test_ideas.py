"""The ideas that benchmarks/convergence.py tries: that each does what its row in the table says."""

import runpy
from argparse import Namespace
from pathlib import Path

import pytest
import torch

from alone_fairseq import AloneEmbedding
from alone_fairseq.config import PARAM_GROUP
from alone_fairseq.errors import UserError

IDEAS = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "ideas" / "__init__.py"))


def build(words=40, idea=None, **options) -> AloneEmbedding:
    torch.manual_seed(1)
    embedding = AloneEmbedding(words, 6, **{"inter_dim": 10, "codebooks": 3, "codes": 8, **options})
    if idea:
        IDEAS["apply"](Namespace(**(vars(IDEAS["Ideas"]()) | idea)), embedding)
    return embedding


GOAL = torch.sin(torch.arange(240.0)).view(40, 6)


def gradients(embedding) -> dict[str, torch.Tensor]:
    embedding.zero_grad()
    (embedding.matrix() * GOAL).sum().backward()
    return {name: parameter.grad for name, parameter in embedding.named_parameters()}


def test_trained_codebooks_are_trained():
    embedding = build(idea={"idea_train_codebooks": True})
    gradients(embedding)
    assert embedding.columns.grad.abs().sum() > 0
    with pytest.raises(UserError, match="more than 24 words"):
        build(words=20, idea={"idea_train_codebooks": True})


def test_words_in_a_row_share_no_column():
    codes = build(idea={"idea_apart": True}).filter_store.codes
    for start in range(0, 40, 8):
        for column in codes[start : start + 8].unbind(1):
            assert len(column.unique()) == 8


@pytest.mark.parametrize("idea", ["idea_base_one", "idea_orthogonal", "idea_unit_features"])
def test_another_start_or_shape_keeps_the_size_of_embeddings(idea):
    plain, changed = build(200), build(200, {idea: True})
    assert not torch.equal(plain.matrix(), changed.matrix())
    assert 0.5 < changed.matrix().std() / plain.matrix().std() < 2


def test_unit_features_have_one_norm():
    embedding = build(idea={"idea_unit_features": True})
    embedding.weights[1].data = torch.eye(10)  # so that the matrix is the features
    norms = embedding.matrix().norm(dim=1)
    torch.testing.assert_close(norms, norms[0].expand(40))
    with pytest.raises(UserError, match="alone-center"):
        build(idea={"idea_unit_features": True}, center=True)


@pytest.mark.parametrize("center", [False, True])
def test_a_whitened_gradient_is_that_of_least_squares(center):
    """With hardly any damping G C^-1 is, up to a factor, the step of W_2 that fits a step of the matrix best."""
    embedding, plain = build(idea={"idea_whiten": 1e-6}, center=center), build(center=center)
    features = plain.features(slice(None)).detach()
    if center:
        features = features - features.mean(0)
    best = torch.linalg.lstsq(features.double(), GOAL.double()).solution.t()
    ours, others = gradients(embedding), gradients(plain)
    whitened = ours.pop("weights.1").double()
    torch.testing.assert_close(whitened / whitened.norm(), best / best.norm(), rtol=1e-3, atol=1e-3)
    assert all(torch.equal(gradient, others[name]) for name, gradient in ours.items())


def test_a_row_s_gradient_is_divided_by_its_running_size():
    embedding = build()
    row_gradient = IDEAS["RowGradient"](embedding, 1.0)
    gradient = torch.ones(40, 6)
    gradient[3] = 5.0
    normalised = row_gradient.normalise(gradient)
    torch.testing.assert_close(normalised, normalised[0, 0].expand(40, 6))
    torch.testing.assert_close(normalised.mean(), torch.tensor((39 + 5) / 40))


def test_a_projected_step_is_the_nearest_to_that_of_a_lookup():
    """Adam's first step is the sign of the gradient: of the matrix's, as of the rows of a lookup."""
    embedding, plain = build(idea={"idea_project": 1e-6}), build()
    features = plain.features(slice(None)).detach().double()
    best = torch.linalg.lstsq(features, GOAL.sign().double()).solution.t()
    ours, others = gradients(embedding), gradients(plain)
    torch.testing.assert_close(embedding.weights[1].projected.double(), best, rtol=1e-2, atol=1e-2)
    assert all(torch.equal(gradient, others[name]) for name, gradient in ours.items())
    before = embedding.weights[1].detach().clone()
    optimizer(embedding).step()
    step = before - embedding.weights[1].detach()
    torch.testing.assert_close(step, 0.01 * embedding.weights[1].projected)


def optimizer(embedding, **more):
    for weight in embedding.weights:
        weight.param_group = PARAM_GROUP  # as in a model
    settings = IDEAS["AdamIdeasConfig"](lr=[0.01], adam_betas="(0.9, 0.98)", **more)
    return IDEAS["AdamIdeas"](settings, list(embedding.weights))


def test_shampoo_has_no_direction_of_its_own_at_first():
    """L^-1/4 G R^-1/4 of a single G = U S V^T is U V^T, which is also where Muon goes."""
    gradient = torch.randn(6, 10, generator=torch.Generator().manual_seed(1))
    u, _, v = torch.linalg.svd(gradient, full_matrices=False)
    torch.testing.assert_close(IDEAS["Shampoo"](damping=1e-9)(gradient), u @ v, rtol=1e-2, atol=1e-2)


def test_steps_of_shampoo_are_as_large_as_adam_s():
    stepped = []
    for shampoo in (False, True):
        embedding = build()
        before = embedding.weights[1].detach().clone()
        gradients(embedding)
        optimizer(embedding, idea_shampoo=shampoo).step()
        stepped.append(embedding.weights[1].detach() - before)
    torch.testing.assert_close(stepped[0].norm(), stepped[1].norm())
    assert torch.cosine_similarity(stepped[0].flatten(), stepped[1].flatten(), dim=0) < 0.95
