"""The fit of ALONE to a matrix: what is exact, what is best, and going on after a stop."""

import copy

import pytest
import torch
from fairseq.data import Dictionary

from alone_fairseq import AloneEmbedding
from alone_fairseq.checkpoint.fit import Fit, LeftOverError, quality, word_weights

WORDS, D_E = 60, 6


def build(seed=0, **options):
    torch.manual_seed(seed)
    return AloneEmbedding(WORDS, D_E, **{"inter_dim": 12, "codes": 8, **options})


def target():
    return torch.sin(torch.arange(WORDS * D_E * 1.7)[: WORDS * D_E]).view(WORDS, D_E) + 0.3


WEIGHTS = 1 / torch.arange(1.0, WORDS + 1)
VARIANTS = [
    {},
    {"center": True},
    {"own_rows": 7},
    {"center": True, "own_rows": 7},
    {"num_layers": 1},
    {"num_layers": 3},
]


def error_of_rest(embedding, own):
    return (WEIGHTS[own:, None] * (embedding.matrix() - target())[own:].square()).sum()


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_the_last_layer_is_the_best_one(options):
    embedding = build(**options)
    before = error_of_rest(embedding, options.get("own_rows", 0)).item()
    Fit(embedding, target(), WEIGHTS, updates=0).run(lambda *told: None)
    own = options.get("own_rows", 0)
    error = error_of_rest(embedding, own)
    error.backward()
    # Flat but for the little that the ridge pulls.
    assert embedding.weights[-1].grad.norm() < 2e-2 * embedding.weights[-1].norm()
    assert error < 0.9 * before
    if own:
        assert torch.equal(embedding.matrix()[:own], target()[:own])
    if embedding.bias is not None:
        torch.testing.assert_close(embedding.matrix()[own:].mean(0), target()[own:].mean(0))


def test_steps_bring_it_nearer():
    errors = []
    for updates in (0, 400):
        embedding = build(center=True)
        Fit(embedding, target(), WEIGHTS, updates).run(lambda *told: None)
        errors.append(quality(embedding.matrix(), target(), WEIGHTS).error)
    assert errors[1] < 0.8 * errors[0]


def test_a_fit_that_was_stopped_goes_on():
    whole, parts = build(center=True), build(center=True)
    Fit(whole, target(), WEIGHTS, 20).run(lambda *told: None)
    first, saved = Fit(parts, target(), WEIGHTS, 20), {}

    class Stop(Exception):
        pass

    def stop():
        if first.done == 8:
            saved.update(copy.deepcopy(first.state_dict()))
            raise Stop

    with pytest.raises(Stop):
        first.run(lambda *told: None, stop)
    again = build(seed=5, center=True)
    second = Fit(again, target(), WEIGHTS, 20)
    second.load_state_dict(saved)
    steps = []
    second.run(lambda count, error: steps.append(count))
    assert len(steps) == 12 and torch.equal(whole.matrix(), again.matrix())


def test_what_another_fit_left_is_refused():
    saved = Fit(build(), target(), WEIGHTS, 20).state_dict()
    for embedding, matrix, weights, message in (
        (build(), target() + 1, WEIGHTS, "of another model"),
        (build(), target(), WEIGHTS**2, "of another model"),
        (build(inter_dim=13), target(), WEIGHTS, "with other words"),
    ):
        with pytest.raises(LeftOverError, match=message):
            Fit(embedding, matrix, weights, 20).load_state_dict(saved)


def test_frequent_words_count_more():
    spread = []
    for weights in (WEIGHTS**3, torch.ones(WORDS)):
        embedding = build()
        Fit(embedding, target(), weights, 50).run(lambda *told: None)
        cosine = torch.cosine_similarity(embedding.matrix(), target(), dim=1)
        spread.append((cosine[:6].mean() - cosine[6:].mean()).item())
    assert spread[0] > spread[1] + 0.1


def test_quality():
    made = target()
    assert quality(made, target(), WEIGHTS).error == 0
    share = WEIGHTS / WEIGHTS.sum()
    mean = (share[:, None] * made).sum(0).expand_as(made)
    told = quality(mean, made, WEIGHTS, bands=(0, 10, 100))
    assert told.error == pytest.approx(1) and set(told.cosines) == {(0, 10), (10, WORDS)}
    expected = torch.cosine_similarity(mean, made, dim=1)[:10].mean().item()
    assert told.cosines[0, 10] == pytest.approx(expected)


def test_quality_leaves_out_words_without_weight():
    made, wanted, weights = target() + 0.1, target(), WEIGHTS.clone()
    made[1], wanted[1], weights[1] = 5.0, 0.0, 0.0  # padding
    told, others = quality(made, wanted, weights, bands=(0,)), torch.arange(WORDS) != 1
    assert told.cosines[0, WORDS] == pytest.approx(torch.cosine_similarity(made, wanted)[others].mean().item())
    assert told.error == pytest.approx(quality(made[others], wanted[others], weights[others]).error)


def test_quality_where_there_is_no_spread():
    same = torch.ones(WORDS, D_E)
    assert quality(same, same, WEIGHTS).error == 0
    assert quality(same * torch.inf, same, WEIGHTS).error == torch.inf


def test_word_weights():
    dictionary = Dictionary()
    for word, count in (("the", 400), ("rare", 1), ("never", 0)):
        dictionary.add_symbol(word, n=count)
    weights = dict(zip(dictionary.symbols, word_weights(dictionary).tolist(), strict=True))
    assert weights["<pad>"] == 0 and weights["</s>"] == weights["the"] == 20
    assert weights["rare"] == weights["never"] == 1
