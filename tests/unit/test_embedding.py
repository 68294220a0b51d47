"""AloneEmbedding as a module: one matrix for look-ups and scores, kept while nothing changes."""

import copy
import io
import math
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from torch import nn

from alone_fairseq import AloneEmbedding, UserError
from alone_fairseq.baselines import FactorizedEmbedding

WORDS, D_E, D_O, D_INTER = 50, 6, 10, 8
TOKENS = torch.tensor([[3, 7, 3], [49, 0, 7]])


def build(words=WORDS, seed=0, **options):
    torch.manual_seed(seed)
    return AloneEmbedding(words, D_E, 1, **{"base_dim": D_O, "inter_dim": D_INTER, "codes": 4, **options})


def literal(embedding):
    """FFN(m_w * o) of all words, as the paper writes it, in float64."""
    filters = embedding.filters(torch.arange(embedding.num_embeddings)).double()
    first, *rest = (w.double() for w in embedding.weights)
    x = (filters * embedding.base.double()) @ first.t()
    for weight in rest:
        x = x.clamp(min=0) @ weight.t()
    own = embedding.own if embedding.own is not None else x[:0]
    x = x[len(own) :]
    if embedding.bias is not None:
        x = x - x.mean(0) + embedding.bias.double()
    return torch.cat([own.double(), x])


VARIANTS = [
    {},
    {"filter": "binary", "base_dim": 40},
    {"num_layers": 1},
    {"center": True},
    {"own_rows": 4},
    {"own_rows": 49, "center": True, "codebooks": 0},
    {"num_layers": 3},
    {"codebooks": 0},
    {"filter": "binary", "base_dim": 40, "codebooks": 0},
    {"storage": "expanded"},
    {"storage": "volatile"},
    {"chunk_size": 7},
    {"codes": 40},
    {"symbols": [f"w{i}" for i in range(WORDS)]},
]


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_lookups_matrix_and_scores_agree_with_the_formula(options):
    embedding = build(**options)
    expected = literal(embedding).float()
    torch.testing.assert_close(embedding.matrix(), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(embedding(TOKENS), expected[TOKENS], rtol=1e-5, atol=1e-6)
    features = torch.sin(torch.arange(2.0 * D_E)).view(2, D_E)
    torch.testing.assert_close(embedding.project(features), features @ expected.t(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("filter", ["real", "binary"])
def test_all_storages_hold_the_same_filters(filter):
    filters = [
        build(filter=filter, base_dim=40, storage=s).filters(TOKENS) for s in ("codebook", "expanded", "volatile")
    ]
    assert filters[0].shape == (2, 3, 40)
    assert build(filter=filter, base_dim=40).filters(TOKENS[:, :0]).shape == (2, 0, 40)
    assert torch.equal(filters[0], filters[1]) and torch.equal(filters[0], filters[2])


def test_what_each_storage_holds():
    held = {s: build(storage=s).filter_store for s in ("codebook", "expanded", "volatile")}
    assert held["codebook"].table.shape == (8 * 4, D_O) and held["codebook"].codes.shape == (WORDS, 8)
    assert held["expanded"].table.shape == (WORDS, D_O) and held["expanded"].codes is None
    assert list(held["volatile"].buffers()) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"num_layers": 1}, D_O + D_E * D_O),
        ({}, D_O + D_INTER * (D_O + D_E)),
        ({"own_rows": 3}, D_O + D_INTER * (D_O + D_E) + 3 * D_E),
        ({"center": True}, D_O + D_INTER * (D_O + D_E) + D_E),
        ({"num_layers": 4}, D_O + D_INTER * (D_O + D_E) + 2 * D_INTER**2),
        ({"words": 5000, "codebooks": 8}, D_O + D_INTER * (D_O + D_E)),
    ],
)
def test_number_of_parameters_depends_on_the_network_alone(options, expected):
    assert sum(p.numel() for p in build(**options).parameters()) == expected


def test_parameters_of_the_paper():
    """Table 2 and Table 3: 4.2 M, 8.4 M, 0.5 M, 1.0 M; Figure 3: 0.4, 0.7, 1.1 and 1.4 M."""
    for dim, inter_dim, count in (
        (512, 4096, 4_194_816),
        (512, 8192, 8_389_120),
        (512, 512, 524_800),
        (512, 1024, 1_049_088),
        (300, 600, 360_300),
        (300, 2400, 1_440_300),
    ):
        assert sum(p.numel() for p in AloneEmbedding(100, dim, inter_dim=inter_dim).parameters()) == count


@pytest.mark.parametrize(("filter", "exponent"), [("real", -0.3), ("binary", -0.05)])
def test_initialisation_is_the_paper_s(filter, exponent):
    embedding = AloneEmbedding(10, 300, filter=filter, base_dim=20000, inter_dim=600)
    assert abs(embedding.base.std().item() / 900**exponent - 1) < 5 / math.sqrt(2 * 20000)
    bound = math.sqrt(6 / (300 + 600))
    assert abs(embedding.weights[1]).max() <= bound
    assert abs(embedding.weights[1].std().item() / (bound / math.sqrt(3)) - 1) < 0.01


def test_input_and_output_are_one_set_of_parameters():
    embedding = build()
    with torch.no_grad():
        embedding.weights[1].fill_(0.5)
    features = torch.ones(D_E)
    torch.testing.assert_close(embedding.project(features)[TOKENS], embedding(TOKENS) @ features)


BEYOND_THE_PAPER = [{}, {"center": True}, {"own_rows": 5}, {"center": True, "own_rows": 5}]


@pytest.mark.parametrize("options", BEYOND_THE_PAPER, ids=str)
def test_gradients_of_a_tied_step_are_those_of_the_formula(options):
    embedding = build(**options).double()
    weights = list(embedding.parameters())
    expected = literal(embedding)
    losses = []
    for looked_up, scores in (
        (expected[TOKENS], expected[TOKENS] @ expected.t()),
        (embedding(TOKENS), embedding.project(embedding(TOKENS))),
    ):
        losses.append(torch.autograd.grad(looked_up.square().sum() + scores.logsumexp(-1).sum(), weights))
    with embedding.shared_matrix():
        looked_up = embedding(TOKENS)
        scores = embedding.project(looked_up)
    losses.append(torch.autograd.grad(looked_up.square().sum() + scores.logsumexp(-1).sum(), weights))
    for actual in losses[1:]:
        for one, other in zip(actual, losses[0], strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def count_computations(monkeypatch):
    computed = []
    compute = AloneEmbedding._compute
    monkeypatch.setattr(AloneEmbedding, "_compute", lambda self: computed.append(1) or compute(self))
    return computed


def test_in_a_block_the_matrix_is_computed_once(monkeypatch):
    computed, embedding = count_computations(monkeypatch), build()
    with embedding.shared_matrix():
        embedding.project(embedding(TOKENS) + embedding(TOKENS))
        with embedding.shared_matrix():
            embedding.matrix()
    assert len(computed) == 1
    embedding.matrix()
    assert len(computed) == 2


def test_two_steps_need_no_retained_graph():
    embedding = build()
    for _ in range(2):
        with embedding.shared_matrix():
            embedding.project(embedding(TOKENS)).sum().backward()


CHANGES = {
    "in place": lambda e: e.weights[0].mul_(2),
    "past the version counter": lambda e: e.weights[1].data[2].add_(1),
    "one element of o": lambda e: e.base.data[3].add_(1),
    "two rows swapped": lambda e: e.weights[1].data.copy_(e.weights[1].data.flip(0)),
    "two columns swapped": lambda e: e.weights[1].data.copy_(e.weights[1].data.flip(1)),
    "through NumPy": lambda e: np.negative(e.base.detach().numpy(), out=e.base.detach().numpy()),
    "another tensor": lambda e: setattr(e.base, "data", e.base.data * 3),
    "another parameter": lambda e: setattr(e, "base", nn.Parameter(e.base.data * 3)),
    "load_state_dict": lambda e: e.load_state_dict(build(seed=9).state_dict()),
    "another type": lambda e: e.double(),
    "the matrix itself": lambda e: e.matrix().zero_(),
    "an optimizer": lambda e: torch.optim.SGD([e.base], lr=1.0).step(
        lambda: setattr(e.base, "grad", torch.ones(D_O))
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_without_gradients_the_matrix_is_kept_until_a_weight_changes(monkeypatch, change):
    embedding = build().eval()
    computed = count_computations(monkeypatch)
    with torch.no_grad():
        before = embedding.matrix()
        assert embedding.matrix() is before
        embedding(TOKENS), embedding.project(torch.ones(D_E))
        assert len(computed) == 1
        CHANGES[change](embedding)
        after = embedding.matrix()
        assert len(computed) == 2
        torch.testing.assert_close(after.double(), literal(embedding), rtol=1e-5, atol=1e-6)
        assert not torch.equal(after.float(), before) or change == "another type"


def test_train_drops_the_kept_matrix_and_gradients_never_see_it(monkeypatch):
    embedding = build().eval()
    computed = count_computations(monkeypatch)
    with torch.no_grad():
        embedding.matrix()
    assert embedding.matrix().requires_grad and len(computed) == 2
    embedding.train()
    assert embedding._kept is None
    with torch.no_grad():
        embedding.matrix(), embedding.matrix()
    assert len(computed) == 4


def test_words_with_rows_of_their_own_do_not_pass_the_network():
    embedding = build(own_rows=8, relu_dropout=0.5)
    tokens = torch.tensor([0, 7, 7])
    assert torch.equal(embedding(tokens), embedding.own[tokens])
    embedding(tokens).sum().backward()
    assert embedding.own.grad[:, 0].tolist() == [1, 0, 0, 0, 0, 0, 0, 2]
    assert not embedding.weights[1].grad.any()


@pytest.mark.parametrize("rows", [-1, WORDS, WORDS + 1])
def test_numbers_of_own_rows_that_make_no_sense(rows):
    with pytest.raises(UserError, match="own-rows"):
        build(own_rows=rows)


def test_a_centred_matrix_has_the_bias_for_mean_and_keeps_track_of_it():
    embedding = build(center=True).eval()
    with torch.no_grad():
        assert embedding.matrix().mean(0).abs().max() < 1e-6
        embedding.bias.copy_(torch.arange(1.0, D_E + 1))
        torch.testing.assert_close(embedding.matrix().mean(0), torch.arange(1.0, D_E + 1))


@pytest.mark.parametrize("embedding", [build(), FactorizedEmbedding(WORDS, D_E, factorized_dim=2)])
def test_a_step_of_a_search_is_one_product_whatever_its_layout(embedding):
    embedding.eval()
    features = torch.ones(1, 5, D_E).transpose(0, 1)  # (batch, 1, D_e), as fairseq's decoder has it
    with torch.no_grad():
        embedding.matrix()
        with torch.profiler.profile() as profile:
            scores = embedding.project(features)
    assert scores.shape == (5, 1, WORDS) and embedding.project(features[:0]).shape == (0, 1, WORDS)
    called = {event.key for event in profile.key_averages()}
    assert "aten::mm" in called and "aten::bmm" not in called


def test_inference_mode():
    embedding = build().eval()
    with torch.inference_mode():
        scores = embedding.project(embedding(TOKENS))
    torch.testing.assert_close(scores, embedding.project(embedding(TOKENS)).detach())
    with torch.no_grad():
        kept = embedding.matrix()
    (torch.ones(D_E, requires_grad=True) @ kept.t()).sum().backward()  # it is no tensor of inference mode


@pytest.mark.parametrize("options", BEYOND_THE_PAPER, ids=str)
def test_relu_dropout_is_for_looked_up_tokens_and_stops_for_good(options):
    embedding = build(inter_dim=4000, relu_dropout=0.4, stop_relu_dropout=10, **options)
    exact = embedding.matrix()[TOKENS].detach()

    def noise():
        with embedding.shared_matrix():
            assert torch.equal(embedding.matrix()[TOKENS], exact)  # the projection has no dropout
            return (embedding(TOKENS) - exact).abs().max().item()

    assert noise() > 1e-3
    embedding.set_num_updates(9)
    assert noise() > 1e-3
    embedding.set_num_updates(10)
    assert noise() < 1e-6
    embedding.set_num_updates(3)
    assert noise() > 1e-3
    assert (embedding.eval()(TOKENS) - exact).abs().max() < 1e-6


@pytest.mark.parametrize("options", BEYOND_THE_PAPER, ids=str)
def test_relu_dropout_keeps_the_mean_and_masks_each_token(options):
    embedding = build(relu_dropout=0.5, **options)
    tokens = torch.full((20000,), 5)
    sample = embedding(tokens).detach()
    assert not torch.equal(sample[0], sample[1])
    error = sample.std(0) / math.sqrt(len(tokens))
    assert ((sample.mean(0) - embedding.matrix()[5]).abs() < 5 * error + 1e-6).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("filter", ["real", "binary"])
def test_half_precision_computes_in_float32_and_casts(dtype, filter):
    embedding = build(filter=filter, base_dim=40).to(dtype)
    assert embedding(TOKENS).dtype == embedding.project(torch.ones(D_E, dtype=dtype)).dtype == dtype
    # The filters have lost nothing, and the result is that of float64, rounded once.
    expected = literal(embedding)
    torch.testing.assert_close(embedding.matrix(), expected.to(dtype), rtol=torch.finfo(dtype).eps, atol=1e-6)
    embedding.project(embedding(TOKENS)).sum().backward()
    assert all(p.grad.dtype == dtype and p.grad.isfinite().all() for p in embedding.parameters())


def test_autocast_leaves_the_embeddings_in_float32():
    embedding = build()
    expected = embedding(TOKENS).detach()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        looked_up = embedding(TOKENS)
        scores = embedding.project(looked_up)
        assert scores.dtype == torch.bfloat16
        scores.sum().backward()
    assert torch.equal(looked_up, expected)
    assert embedding.base.grad.isfinite().all()


def test_state_dict_holds_weights_and_a_fingerprint_of_the_filters():
    state = build().state_dict()
    assert {key: tuple(value.shape) for key, value in state.items()} == {
        "base": (D_O,),
        "weights.0": (D_INTER, D_O),
        "weights.1": (D_E, D_INTER),
        "filter_probe": (16,),
    }
    assert state["filter_probe"].dtype == torch.float32


@pytest.mark.parametrize(
    "other",
    [{"seed": 5}, {"filter": "binary"}, {"codebooks": 7}, {"codes": 5}, {"words": 51}, {"codebooks": 0}],
    ids=str,
)
@pytest.mark.parametrize("strict", [True, False])
def test_weights_trained_with_other_filters_are_refused(other, strict):
    other = {"base_dim": 40, **other}
    seed = other.pop("seed", 1)
    torch.manual_seed(0)
    stranger = AloneEmbedding(
        other.pop("words", WORDS), D_E, **{"inter_dim": D_INTER, "codes": 4, "seed": seed, **other}
    )
    with pytest.raises(RuntimeError, match="trained with other filters"):
        stranger.load_state_dict(build(base_dim=40).state_dict(), strict=strict)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_fingerprint_survives_precision_averaging_and_ema(dtype):
    states = [build(seed=s).to(dtype).state_dict() for s in range(3)]
    averaged = {key: sum(state[key] for state in states) / 3 for key in states[0]}
    for _ in range(200):
        for key in averaged:
            averaged[key].mul_(0.99).add_(states[0][key], alpha=0.01)
    embedding = build(seed=8)
    embedding.load_state_dict(averaged)
    assert torch.equal(embedding.matrix(), build_with(averaged).matrix())


def build_with(state):
    embedding = build()
    for key, parameter in embedding.named_parameters():
        parameter.data.copy_(state[key])
    return embedding


def test_volatile_filters_load_what_codebooks_have_trained():
    embedding = build(storage="volatile", seed=4)
    trained = build()
    embedding.load_state_dict(trained.state_dict())
    torch.testing.assert_close(embedding.matrix(), trained.matrix())


def test_given_filters():
    filters = build().filters(torch.arange(WORDS))
    torch.manual_seed(0)
    embedding = AloneEmbedding.from_filters(filters, D_E, inter_dim=D_INTER)
    torch.testing.assert_close(embedding.matrix(), build().matrix())
    assert torch.equal(embedding.half().filters(TOKENS), filters[TOKENS])
    binary = AloneEmbedding.from_filters((filters > 0).numpy(), D_E, inter_dim=D_INTER)
    assert binary.filter_store.kind == "binary"
    with pytest.raises(RuntimeError, match="other filters"):
        binary.load_state_dict(embedding.float().state_dict())
    for bad in (filters[0], filters * math.nan):
        with pytest.raises(UserError, match="filters must"):
            AloneEmbedding.from_filters(bad, D_E)
    with pytest.raises(UserError, match="given, so codes, seed can't be"):
        AloneEmbedding.from_filters(filters, D_E, seed=2, codes=3)


def test_copies_and_files():
    embedding = build(relu_dropout=0.1).eval()
    with torch.no_grad():
        embedding.matrix()
    buffer = io.BytesIO()
    torch.save(embedding, buffer)
    buffer.seek(0)
    for twin in (copy.deepcopy(embedding), torch.load(buffer, weights_only=False)):
        assert twin._kept is None
        with torch.no_grad():
            twin.base.mul_(2)
            assert not torch.equal(twin.matrix(), embedding.matrix())


def test_compiles_with_breaks_in_the_graph():
    """The matrix is computed outside of the graph: it depends on what was kept from the last call."""
    model = nn.Sequential(build(), nn.Linear(D_E, D_E))
    compiled = torch.compile(model, backend="eager")
    torch.testing.assert_close(compiled(TOKENS), model(TOKENS))
    compiled(TOKENS).sum().backward()
    assert model[0].base.grad is not None


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_compiled_model_keeps_the_matrix(mode):
    torch.compiler.reset()
    embedding = build().eval()
    compiled = torch.compile(nn.Sequential(embedding), backend="aot_eager")
    with mode():
        compiled(TOKENS)
        kept = embedding._kept
        compiled(TOKENS)
        assert embedding._kept is kept
        embedding.base.data.mul_(3)
        torch.testing.assert_close(compiled(TOKENS), embedding(TOKENS))
        assert embedding._kept is not kept


def test_a_block_is_that_of_its_thread():
    """Two threads whose blocks overlap, the first to come the first to go."""
    embedding = build()
    first_is_in, second_is_in, first_is_out = (threading.Event() for _ in range(3))
    matrices = []

    def first():
        with embedding.shared_matrix():
            matrices.append(embedding.matrix())
            first_is_in.set()
            second_is_in.wait(10)
        first_is_out.set()

    thread = threading.Thread(target=first)
    thread.start()
    first_is_in.wait(10)
    with embedding.shared_matrix():
        matrices.append(embedding.matrix())
        second_is_in.set()
        first_is_out.wait(10)
        assert embedding.matrix() is matrices[1]
    thread.join()
    assert matrices[1] is not matrices[0]
    assert embedding.matrix() is not embedding.matrix(), "a block was left open"


def test_a_block_may_span_evaluation_and_training():
    embedding = build(center=True, relu_dropout=0.1).eval()
    with embedding.shared_matrix(), torch.no_grad():
        matrix = embedding.matrix()
        assert not torch.equal(embedding.train()(TOKENS), matrix[TOKENS])


@pytest.mark.parametrize("options", BEYOND_THE_PAPER, ids=str)
def test_drop_in_for_nn_embedding(options):
    embedding, lookup = build(**options, relu_dropout=0.1), nn.Embedding(WORDS, D_E, 1)
    for tokens in (
        torch.tensor(5),
        torch.tensor(3),
        TOKENS,
        TOKENS[:, :0],
        TOKENS.int(),
        torch.zeros(2, 3, 4, dtype=torch.long),
    ):
        assert embedding(tokens).shape == lookup(tokens).shape
    names = ("num_embeddings", "embedding_dim", "padding_idx")
    assert [getattr(embedding, n) for n in names] == [getattr(lookup, n) for n in names]


def test_the_module_needs_no_fairseq():
    code = (
        "import sys; sys.modules['fairseq'] = None\n"
        "from alone_fairseq import AloneEmbedding\n"
        "print(tuple(AloneEmbedding(9, 4, inter_dim=3).matrix().shape))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "(9, 4)"


@pytest.mark.parametrize("token", [-1, WORDS])
@pytest.mark.parametrize("method", ["__call__", "filters"])
def test_a_token_out_of_range_is_named(token, method):
    with pytest.raises(IndexError, match=f"token {token} is not one of the {WORDS} words"):
        getattr(build(), method)(torch.tensor([4, token]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filter": "complex"}, "unknown filter 'complex'"),
        ({"storage": "disk"}, "unknown storage 'disk'"),
        ({"inter_dim": 0}, "--alone-inter-dim.* must be 1 or more, not 0"),
        ({"num_layers": 0}, "--alone-layers.* must be 1 or more, not 0"),
        ({"relu_dropout": 1.0}, "--alone-relu-dropout.* below 1, not 1.0"),
        ({"stop_relu_dropout": -1}, "--alone-stop-relu-dropout.* must be 0 or more"),
        ({"chunk_size": 0}, "--alone-chunk-size.* must be 1 or more"),
        ({"codebooks": 1}, "give 4 filters, fewer than 50 words"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(options, message):
    with pytest.raises(UserError, match=message) as error:
        build(**options)
    assert "\n" not in str(error.value)
    assert isinstance(error.value, ValueError)
