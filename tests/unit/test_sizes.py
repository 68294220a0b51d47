"""Sizes against the paper's figures, and against the modules and models themselves."""

from argparse import Namespace
from types import SimpleNamespace

import pytest
import torch
from fairseq.data import Dictionary
from fairseq.models import ARCH_CONFIG_REGISTRY, ARCH_MODEL_REGISTRY

from alone_fairseq.baselines import FactorizedEmbedding, LookupEmbedding
from alone_fairseq.embedding import AloneEmbedding
from alone_fairseq.errors import UserError
from alone_fairseq.sizes import STORAGES, Sizes, alone_parameters, compare, factorized_dim_like, filter_cost

TABLE_2 = {  # settings of the embedding: its parameters, and those of the whole model, trained
    "lookup": ({"embedding": "lookup"}, 16_777_216, 60_915_712),
    "factorized 128": ({"embedding": "factorized", "factorized_dim": 128}, 4_259_840, 48_398_336),
    "factorized 256": ({"embedding": "factorized", "factorized_dim": 256}, 8_519_680, 52_658_176),
    "real 4096": ({"alone_inter_dim": 4096}, 4_194_816, 48_333_312),
    "real 8192": ({"alone_inter_dim": 8192}, 8_389_120, 52_527_616),
    "binary 8192": ({"alone_inter_dim": 8192, "alone_filter": "binary"}, 8_389_120, 52_527_616),
    "frozen 4096": ({"alone_inter_dim": 4096, "alone_freeze_base": True}, 4_194_304, 48_332_800),
    "frozen 8192": ({"alone_inter_dim": 8192, "alone_freeze_base": True}, 8_388_608, 52_527_104),
}


def trained(module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def build(architecture, words, **settings):
    """A model without weights, for a dictionary of so many words."""
    dictionary = Dictionary()
    for word in range(words - len(dictionary)):
        dictionary.add_symbol(str(word))
    assert len(dictionary) == words
    args = Namespace(**settings)
    ARCH_CONFIG_REGISTRY[architecture](args)
    task = SimpleNamespace(source_dictionary=dictionary, target_dictionary=dictionary)
    with torch.device("meta"):
        return ARCH_MODEL_REGISTRY[architecture].build_model(args, task)


@pytest.mark.parametrize("row", TABLE_2)
def test_models_of_table_2(row):
    settings, embedding, total = TABLE_2[row]
    model = build("transformer_alone_wmt_en_de", 32_768, **settings)
    assert trained(model.encoder.embed_tokens) == embedding
    assert trained(model) == total


@pytest.mark.parametrize(("inter_dim", "expected"), [(512, 524_800), (1024, 1_049_088)])
def test_embeddings_of_table_3(inter_dim, expected):
    model = build("transformer_alone_gigaword", 1000, alone_inter_dim=inter_dim)
    assert trained(model.encoder.embed_tokens) == expected
    assert trained(model) - expected == 44_138_496  # as in Table 2: the rest is fairseq's base model


def test_the_headline_architecture_is_the_first_of_table_3():
    assert trained(build("transformer_alone_gigaword", 1000).encoder.embed_tokens) == 524_800


def test_formulas_at_the_sizes_of_table_2():
    small = Sizes(32_768, 512, 512, 4096, factorized_dim=128)
    large = Sizes(32_768, 512, 512, 8192, factorized_dim=256)
    assert [cost.parameters for cost in compare(small)] == [16_777_216, 4_259_840] + 3 * [4_194_816]
    assert [cost.parameters for cost in compare(large)] == [16_777_216, 8_519_680] + 3 * [8_389_120]


def test_formulas_at_the_sizes_of_figure_3():
    counts = [alone_parameters(300, 300, inter_dim) for inter_dim in (600, 1200, 1800, 2400)]
    assert counts == [360_300, 720_300, 1_080_300, 1_440_300]
    assert [round(count / 1e6, 1) for count in counts] == [0.4, 0.7, 1.1, 1.4]


def test_the_example_of_section_2_3():
    lookup, _, codebook, expanded, volatile = compare(Sizes(37_000, 512, 512, 4096))
    assert lookup.parameters == 18_944_000  # 19M
    assert codebook.parameters == expanded.parameters == volatile.parameters == 4_194_816  # 4M
    assert (codebook.filters, expanded.filters, volatile.filters) == (262_144, 18_944_000, 0)  # 262k, 19M


def test_what_table_1_leaves_out():
    lookup, _, codebook, expanded, volatile = compare(Sizes(37_000, 512, 512, 4096))
    assert codebook.filter_bytes == 4 * 262_144 + 8 * 37_000  # a byte for each code
    assert (expanded.filter_bytes, volatile.filter_bytes) == (4 * 18_944_000, 0)
    # At inference there are the whole matrix and a copy of the weights, beside the weights.
    assert volatile.memory_bytes == lookup.memory_bytes + 4 * (2 * 4_194_816 + 16)


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
@pytest.mark.parametrize("freeze_base", [False, True])
@pytest.mark.parametrize("beyond", [{}, {"center": True}, {"own_rows": 7}])
def test_formulas_agree_with_the_modules(layers, freeze_base, beyond):
    sizes = Sizes(50, 6, 10, 12, layers, freeze_base=freeze_base, factorized_dim=3, **beyond)
    alone = AloneEmbedding(
        50, 6, base_dim=10, inter_dim=12, num_layers=layers, train_base=not freeze_base, **beyond
    )
    modules = [LookupEmbedding(50, 6), FactorizedEmbedding(50, 6, factorized_dim=3), alone]
    for cost, module in zip(compare(sizes), modules, strict=False):
        assert cost.parameters == trained(module)
        assert 4 * cost.saved == sum(tensor.nbytes for tensor in module.state_dict().values())
        with torch.no_grad():
            module.eval().matrix()
        kept = getattr(module, "_kept", None)
        assert cost.kept == (sum(t.numel() for t in [*kept.weights, kept.matrix]) if kept else 0)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("filter", ["real", "binary"])
@pytest.mark.parametrize(("codebooks", "codes"), [(8, 64), (2, 300), (0, 64)])
def test_bytes_of_filters_agree_with_the_buffers(storage, filter, codebooks, codes):
    sizes = Sizes(500, 16, 40, 8, codebooks=codebooks, codes=codes, filter=filter)
    embedding = AloneEmbedding(
        500, 16, base_dim=40, inter_dim=8, filter=filter, codebooks=codebooks, codes=codes, storage=storage
    )
    buffers = embedding.filter_store.buffers()
    assert filter_cost(storage, sizes)[1] == sum(buffer.nbytes for buffer in buffers)


def test_factorized_is_made_as_large_as_alone():
    r = factorized_dim_like(4_194_816, 37_000, 512)
    counts = [abs((37_000 + 512) * other - 4_194_816) for other in (r - 1, r, r + 1)]
    assert min(counts) == counts[1]
    assert factorized_dim_like(10, 1000, 16) == 1


@pytest.mark.parametrize(
    ("sizes", "name"),
    [
        ({"dim": 0}, "dim"),
        ({"layers": 0}, "layers"),
        ({"codebooks": 1, "codes": 9}, "codebooks"),
        ({"own_rows": -1}, "own_rows"),
        ({"own_rows": 10}, "own_rows"),
    ],
)
def test_senseless_sizes_are_refused(sizes, name):
    with pytest.raises(UserError, match=name):
        Sizes(**{"vocab": 10, "dim": 4, "base_dim": 4, **sizes})


def test_given_filters_are_in_the_checkpoint():
    for kind, in_memory in (("real", 4000), ("binary", 1000)):
        *_, alone = compare(Sizes(50, 6, 20, 12, filter=kind, codebooks=0, given=True))
        assert (alone.embedding, alone.given, alone.filter_bytes) == ("ALONE, given", 1000, in_memory)
    assert {cost.given for cost in compare(Sizes(50, 6, 20, 12))} == {0}
