"""``--to fsmt``: a folder that Hugging Face transformers loads as ``FSMTForConditionalGeneration``.

FSMT is fairseq's WMT19 Transformer: shared embeddings, layer normalisation after each block, sinusoidal positions.
Its tokenizer is Moses and subword-nmt, with special characters escaped and dashes split: on text prepared in
another way give the model token ids of your own.
"""

import json
from pathlib import Path

import torch
from fairseq.modules import SinusoidalPositionalEmbedding
from safetensors.torch import save

from alone_fairseq.checkpoint.files import replacing_folder
from alone_fairseq.errors import UserError, not_installed
from alone_fairseq.export.check import FLOAT32_BOUND, Pair, compare
from alone_fairseq.export.plain import Plain
from alone_fairseq.export.search import CheckText, Search
from alone_fairseq.export.search import compare as compare_search
from alone_fairseq.text import TextSettings

TOKENIZER = {"vocab-src.json", "vocab-tgt.json", "merges.txt", "tokenizer_config.json"}
FILES = {"config.json", "generation_config.json", "model.safetensors"} | TOKENIZER
NOT_IN_FSMT = ("version", "_float_tensor")  # last parts of names
ACTIVATIONS = ("relu", "gelu")
# What FSMT has not, by fairseq's name of the setting.
UNKNOWN = (
    "encoder_normalize_before",
    "decoder_normalize_before",
    "encoder_learned_pos",
    "decoder_learned_pos",
    "layernorm_embedding",
    "no_token_positional_embeddings",
    "no_cross_attention",
    "cross_self_attention",
    "adaptive_softmax_cutoff",
)


def write(plain: Plain, data: Path, output: Path, force: bool, text: CheckText | None = None) -> None:
    check_suitable(plain)
    with replacing_folder(output, force, FILES) as folder:
        (folder / "model.safetensors").write_bytes(save(weights(plain), {"format": "pt"}))
        write_json(folder / "config.json", configuration(plain))
        write_json(folder / "generation_config.json", generation(plain))
        tokenizer = write_tokenizer(plain, data, folder)
        model = load(folder)
        check(plain, model)
        if text:
            compare_search(plain, data, text, search(plain, model, text.beam))
    if not tokenizer:
        print(
            "no tokenizer files: FSMT's tokenizer is Moses and subword-nmt, and this text was prepared otherwise"
        )


def check_suitable(plain: Plain) -> None:
    settings = plain.settings
    if not settings.share_all_embeddings:
        raise UserError("FSMT: encoder and decoder must share one embedding")
    for name in UNKNOWN:
        if getattr(settings, name, None):
            raise UserError(f"FSMT: has no --{name.replace('_', '-')}; --to ctranslate2 may take this model")
    if settings.activation_fn not in ACTIVATIONS:
        raise UserError(f"FSMT: --activation-fn must be {' or '.join(ACTIVATIONS)}, not {settings.activation_fn}")


def weights(plain: Plain) -> dict[str, torch.Tensor]:
    """By FSMT's names; the tied matrices once, and the sinusoids, without which it warns of random weights."""
    tied = ("encoder.embed_tokens.weight", "decoder.output_projection.weight")
    padding, dim = plain.task.target_dictionary.pad(), plain.settings.encoder_embed_dim
    rows = longest(plain) + padding + 1
    sinusoids = {
        f"model.{side}.embed_positions.weight": SinusoidalPositionalEmbedding.get_embedding(rows, dim, padding)
        for side in ("encoder", "decoder")
    }
    return sinusoids | {
        f"model.{key}": tensor.contiguous()
        for key, tensor in plain.weights.items()
        if key not in tied and key.rpartition(".")[2] not in NOT_IN_FSMT
    }


def longest(plain: Plain) -> int:
    """Tokens of a sentence, at most."""
    return min(plain.settings.max_source_positions, plain.settings.max_target_positions)


def special_ids(plain: Plain) -> dict[str, int]:
    dictionary = plain.task.target_dictionary
    return {
        "bos_token_id": dictionary.bos(),
        "pad_token_id": dictionary.pad(),
        "eos_token_id": dictionary.eos(),
        "decoder_start_token_id": dictionary.eos(),
    }


def configuration(plain: Plain) -> dict:
    settings = plain.settings
    sides = {
        f"{side}_{theirs}": getattr(settings, f"{side}_{ours}")
        for side in ("encoder", "decoder")
        for theirs, ours in (
            ("layers", "layers"),
            ("attention_heads", "attention_heads"),
            ("ffn_dim", "ffn_embed_dim"),
        )
    }
    return {
        "architectures": ["FSMTForConditionalGeneration"],
        "model_type": "fsmt",
        "is_encoder_decoder": True,
        "langs": [settings.source_lang, settings.target_lang],
        "src_vocab_size": len(plain.task.source_dictionary),
        "tgt_vocab_size": len(plain.task.target_dictionary),
        "d_model": settings.encoder_embed_dim,
        **sides,
        "activation_function": settings.activation_fn,
        "scale_embedding": not settings.no_scale_embedding,
        "max_position_embeddings": longest(plain),
        "tie_word_embeddings": True,
        **special_ids(plain),
    }


def generation(plain: Plain) -> dict:
    """fairseq's search by default: it ends with as many hypotheses as the beam has, and none is empty."""
    return {
        "num_beams": 5,
        "early_stopping": True,
        "min_new_tokens": 1,
        "max_length": 200,
        "length_penalty": 1.0,
        **special_ids(plain),
    }


def write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_tokenizer(plain: Plain, data: Path, folder: Path) -> bool:
    """The dictionaries and merges as FSMTTokenizer reads them; whether the text was prepared in that way."""
    if not (data / "tokenizer.json").exists():
        return False
    settings = TextSettings.load(data / "tokenizer.json")
    if (settings.tokenizer, settings.bpe, settings.target_bpe) != ("moses", "subword_nmt", "same"):
        return False
    for side, dictionary in (("src", plain.task.source_dictionary), ("tgt", plain.task.target_dictionary)):
        pieces = {}
        for number, symbol in enumerate(dictionary.symbols):
            if number >= dictionary.nspecial:
                symbol = symbol.removesuffix("@@") if symbol.endswith("@@") else f"{symbol}</w>"
            pieces[symbol] = number
        write_json(folder / f"vocab-{side}.json", pieces)
    (folder / "merges.txt").write_bytes(settings.codes.read_bytes())
    languages = [plain.settings.source_lang, plain.settings.target_lang]
    write_json(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "FSMTTokenizer", "langs": languages, "do_lower_case": settings.lowercase},
    )
    return True


def load(folder: Path) -> torch.nn.Module:
    """transformers' own model."""
    try:
        from transformers import FSMTForConditionalGeneration
        from transformers.utils.logging import disable_progress_bar
    except ImportError as error:
        raise not_installed(error, "transformers", "hf") from None
    disable_progress_bar()
    return FSMTForConditionalGeneration.from_pretrained(folder).eval()


def check(plain: Plain, model: torch.nn.Module) -> None:
    """Score sentences with it."""
    eos = torch.tensor([plain.task.target_dictionary.eos()])

    @torch.no_grad()
    def theirs(pair: Pair) -> torch.Tensor:
        source, target = torch.cat([pair.source, eos])[None], torch.cat([eos, pair.target])[None]
        # With its cache FSMT would look at the last word of the target alone.
        logits = model(input_ids=source, decoder_input_ids=target, use_cache=False).logits
        return logits[0].float().log_softmax(-1)

    compare(plain, theirs, FLOAT32_BOUND)


def search(plain: Plain, model: torch.nn.Module, beam: int) -> Search:
    """transformers' own, with the limit of length that fairseq's has here."""
    source, target = plain.task.source_dictionary, plain.task.target_dictionary

    @torch.no_grad()
    def translate(tokens: list[str]) -> list[str]:
        ids = torch.tensor([*map(source.index, tokens), source.eos()])[None]  # (1, length + 1)
        found = model.generate(ids, num_beams=beam, max_new_tokens=len(tokens) + 201, max_length=None)[0]
        return [target[word] for word in found[1:].tolist() if word not in (target.eos(), target.pad())]

    return translate
