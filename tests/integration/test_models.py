"""``transformer_alone`` and ``transformer_lm_alone`` as models: what they share; all else is fairseq's."""

import copy

import pytest
import torch
from commands import SMALL_LM, USER_DIR, build, count_calls, language_model_data, sentences
from fairseq import options
from fairseq.models.transformer import TransformerModel
from torch.nn import functional

# D_inter, ReLU dropout with real and with binary filters, its end, and fairseq's architecture of that size.
ARCHITECTURES = {
    "transformer_alone": (4096, 0.2, 0.15, 4500, "transformer"),
    "transformer_alone_tiny": (256, 0.0, 0.0, 0, "transformer_tiny"),
    "transformer_alone_iwslt_de_en": (1024, 0.1, 0.1, 300, "transformer_iwslt_de_en"),
    "transformer_alone_wmt_en_de": (4096, 0.2, 0.15, 4500, "transformer_wmt_en_de"),
    "transformer_alone_wmt_en_de_big": (8192, 0.2, 0.15, 4500, "transformer_wmt_en_de_big"),
    "transformer_alone_gigaword": (512, 0.1, 0.1, 300, "transformer_wmt_en_de"),
}
SHARING = ["", "--no-share-all-embeddings --share-decoder-input-output-embed", "--no-share-all-embeddings"]
KINDS = ["", "--alone-filter binary --alone-base-dim 140", "--embedding factorized --factorized-dim 8"]


def embeddings(model):
    """Those of the encoder's input, the decoder's input and the output."""
    return model.encoder.embed_tokens, model.decoder.embed_tokens, model.decoder.output_embedding


def loss(model, batch):
    scores, _ = model(**batch["net_input"])
    return functional.cross_entropy(scores.flatten(0, 1), batch["target"].flatten())


def conventional(task, model, line=""):
    """fairseq's own Transformer with the weights of ``model`` and its embedding matrices as tables."""
    flags = line.replace("--no-share-all-embeddings", "") if line else "--share-all-embeddings"
    flags = f"data --arch transformer_tiny --encoder-layers 1 --decoder-layers 1 --dropout 0 {flags}"
    settings = options.parse_args_and_arch(options.get_training_parser(), input_args=flags.split())
    twin = TransformerModel.build_model(settings, task)
    names = ("encoder.embed_tokens", "decoder.embed_tokens", "decoder.output_projection")
    with torch.no_grad():
        tables = {f"{name}.weight": e.matrix() for name, e in zip(names, embeddings(model), strict=True)}
    others = {k: v for k, v in model.state_dict().items() if ".embed_tokens." not in k and ".output_emb" not in k}
    twin.load_state_dict({**others, **tables})
    return twin


@pytest.mark.parametrize("filter", ["real", "binary"])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_architectures(tiny_data, arch, filter):
    inter_dim, real_dropout, binary_dropout, stop, _ = ARCHITECTURES[arch]
    with torch.device("meta"):  # no memory for the big ones
        model, _ = build(tiny_data, f"--alone-filter {filter}", arch, model=f"--user-dir {USER_DIR}")
    embedding, *others = embeddings(model)
    assert others == [embedding, embedding]
    dim = embedding.embedding_dim
    assert [tuple(weight.shape) for weight in embedding.weights] == [(inter_dim, dim), (dim, inter_dim)]
    assert embedding.relu_dropout == (real_dropout if filter == "real" else binary_dropout)
    assert embedding.stop_relu_dropout == stop
    assert embedding.filter_store.kind == filter


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_architectures_are_fairseq_s_beside_the_embedding(arch):
    parser = options.get_training_parser

    def settings(name):
        arguments = ["data", "--user-dir", str(USER_DIR), "--arch", name]
        return vars(options.parse_args_and_arch(parser(), input_args=arguments))

    ours, twin = settings(arch), settings(ARCHITECTURES[arch][-1])
    assert {key for key in twin if ours[key] != twin[key]} == {"arch", "share_all_embeddings"}


@pytest.mark.parametrize("line", SHARING)
def test_a_lookup_is_fairseq_s_transformer(tiny_data, line):
    model, task = build(tiny_data, f"--embedding lookup --dropout 0 {line}")
    twin, batch = conventional(task, model, line), sentences(task)
    losses = [loss(model, batch), loss(twin, batch)]
    torch.testing.assert_close(*losses, rtol=1e-6, atol=1e-6)
    for one in losses:
        one.backward()
    torch.testing.assert_close(model.encoder.embed_tokens.table.grad, twin.encoder.embed_tokens.weight.grad)
    torch.testing.assert_close(
        model.decoder.output_embedding.table.grad, twin.decoder.output_projection.weight.grad
    )


@pytest.mark.parametrize("line", SHARING)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_each_embedding_is_a_lookup_in_its_matrix(tiny_data, kind, line, mode):
    model, task = build(tiny_data, f"{kind} --dropout 0 {line}")
    batch = sentences(task)["net_input"]
    expected = conventional(task, model, line)(**batch)[0]
    with torch.set_grad_enabled(mode == "train"):
        torch.testing.assert_close(getattr(model, mode)()(**batch)[0], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_decoding_by_steps_is_decoding_at_once(tiny_data, kind):
    model, task = build(tiny_data, kind)
    model.eval()
    batch, state = sentences(task)["net_input"], {}
    previous = batch["prev_output_tokens"]
    with torch.no_grad():
        encoded = model.encoder(batch["src_tokens"], batch["src_lengths"])
        at_once = model.decoder(previous, encoded)[0]
        for end in range(1, previous.shape[1] + 1):
            step = model.decoder(previous[:, :end], encoded, incremental_state=state)[0][:, 0]
            words = previous[:, end - 1] != task.target_dictionary.pad()
            torch.testing.assert_close(step[words], at_once[words, end - 1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("line", SHARING)
def test_sharing(tiny_data, line):
    """One weight is changed; the embeddings that share it change, and no others."""
    model, _ = build(tiny_data, line)
    source, target, output = embeddings(model)
    shared = {"": [source, target, output], SHARING[1]: [target, output], SHARING[2]: [target]}[line]
    before = [embedding.matrix() for embedding in embeddings(model)]
    with torch.no_grad():
        target.weights[1].mul_(2)
    for old, embedding in zip(before, embeddings(model), strict=True):
        torch.testing.assert_close(embedding.matrix(), old * 2 if embedding in shared else old)
    sizes = sum(p.numel() for p in model.parameters()) - sum(
        p.numel() for half in (model.encoder, model.decoder) for p in half.layers.parameters()
    )
    each = 64 + 32 * (64 + 64)  # D_o + D_inter (D_o + D_e)
    assert sizes == each * {"": 1, SHARING[1]: 2, SHARING[2]: 3}[line]


@pytest.mark.parametrize("line", ["", "--no-share-decoder-input-output-embed"])
def test_language_model_shares_input_and_output(tiny_data, tmp_path, line):
    data = language_model_data(tiny_data, tmp_path / "data")
    model, _ = build(data, line, "transformer_lm_alone", SMALL_LM)
    model.eval()
    source, output = model.decoder.embed_tokens, model.decoder.output_embedding
    assert (source is output) == (line == "")
    tokens = torch.arange(12).view(2, 6)
    with torch.no_grad():
        features = model.decoder.extract_features(tokens, None)[0]
        torch.testing.assert_close(model(tokens)[0], features @ output.matrix().t(), rtol=1e-5, atol=1e-5)
        source.weights[1].zero_()
        assert bool(output.matrix().any()) == (line != "")


def test_a_language_model_s_step_computes_the_matrix_once(tiny_data, tmp_path, monkeypatch):
    data = language_model_data(tiny_data, tmp_path / "data")
    model, _ = build(data, "--alone-relu-dropout 0", "transformer_lm_alone", SMALL_LM)
    calls = count_calls(monkeypatch, "_compute", "_embed")
    model(torch.arange(12).view(2, 6))[0].sum().backward()
    assert calls == {"_compute": 1, "_embed": 0}


def test_a_copy_shares_nothing_with_its_original(tiny_data):
    model, task = build(tiny_data)
    twin, batch = copy.deepcopy(model).eval(), sentences(task)["net_input"]
    expected = model.eval()(**batch)[0]
    torch.testing.assert_close(twin(**batch)[0], expected)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    torch.testing.assert_close(twin(**batch)[0], expected)
    source, target, output = embeddings(twin)
    assert source is target is output is twin.decoder.output_projection.__self__


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("filter", ["real", "binary"])
def test_half_precision(tiny_data, dtype, filter):
    """The matrix is computed in float32 and rounded once; the rest is as exact as the type."""
    model, task = build(tiny_data, f"--alone-filter {filter} --alone-base-dim 140")
    model.to(dtype).eval()
    exact, batch = copy.deepcopy(model).double(), sentences(task)["net_input"]
    with torch.no_grad():
        matrix, scores = model.encoder.embed_tokens.matrix(), model(**batch)[0]
        truth = exact.encoder.embed_tokens.matrix()
        rounding = (matrix.double() - truth).abs() / truth.abs().clamp(min=1e-3)
        assert rounding.max() < 0.51 * torch.finfo(dtype).eps
        assert matrix.dtype == scores.dtype == dtype
        error = (scores.double() - exact(**batch)[0]).abs().max() / scores.abs().max()
    assert error < 8 * torch.finfo(dtype).eps


def test_quantisation_noise(tiny_data):
    model, task = build(tiny_data, "--quant-noise-pq 0.5 --quant-noise-pq-block-size 8")
    loss(model, sentences(task)).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
    assert model.encoder.embed_tokens.base.grad.any()


def test_autocast(tiny_data):
    model, task = build(tiny_data, "--dropout 0")
    batch = sentences(task)
    expected = loss(model, batch)
    with torch.autocast("cpu", torch.bfloat16):
        actual = loss(model, batch)
        actual.backward()
    torch.testing.assert_close(actual, expected, rtol=0.02, atol=0)
    assert all(p.grad.dtype == torch.float32 and p.grad.isfinite().all() for p in model.parameters())


def test_a_language_model_keeps_the_layers_it_is_told_to(tiny_data, tmp_path):
    data = language_model_data(tiny_data, tmp_path / "data")
    line = "--decoder-layers 4 --decoder-layers-to-keep 0,2"
    model, _ = build(data, line, "transformer_lm_alone", SMALL_LM)
    assert len(model.decoder.layers) == 2
