"""The Transformer with an embedding of one's choice, ALONE by default (Section 3.2), and its architectures."""

from dataclasses import dataclass
from functools import partial

import torch
from fairseq.dataclass.utils import gen_parser_from_dataclass
from fairseq.models import register_model, register_model_architecture
from fairseq.models.transformer import (
    TransformerConfig,
    TransformerDecoderBase,
    TransformerModelBase,
    transformer_legacy,
)

from alone_fairseq.config import (
    PAPER_MT,
    EmbeddingConfig,
    alone_architecture,
    build_embedding,
    check_names,
    one_line_errors,
    refuse,
)
from alone_fairseq.gradients import log_gradients
from alone_fairseq.headline import HeadlineTask
from alone_fairseq.length_control import (
    LengthConfig,
    LengthEncoder,
    LengthPositions,
    check_length_control,
    length_architecture,
    lengths_in,
    needs_length,
)
from alone_fairseq.start import start_from
from alone_fairseq.storage import OTHER_FILTERS
from alone_fairseq.word_embedding import WordEmbedding


@dataclass
class TransformerAloneConfig(TransformerConfig, EmbeddingConfig, LengthConfig):
    """fairseq's Transformer, the embedding's settings and the length control's."""


class TiedDecoder(TransformerDecoderBase):
    """fairseq's decoder, with scores from an embedding's own projection."""

    def build_output_projection(self, cfg, dictionary, embed_tokens):
        self.output_embedding = (
            embed_tokens
            if self.share_input_output_embed
            else build_embedding(cfg, dictionary, self.output_embed_dim)
        )
        self.output_projection = self.output_embedding.project

    def forward(self, prev_output_tokens, encoder_out=None, incremental_state=None, **options):
        # A search is one model: in its state the matrix outlives a step, unchecked and not computed again.
        with self.output_embedding.shared_matrix(incremental_state), one_line_errors():
            return super().forward(prev_output_tokens, encoder_out, incremental_state, **options)


class LengthDecoder(TiedDecoder):
    """A decoder that is told how long its output shall be."""

    def __init__(self, cfg, dictionary, embed_tokens, **options):
        super().__init__(cfg, dictionary, embed_tokens, **options)
        ordinary = self.embed_positions if cfg.length_control_pe else None
        self.embed_positions = LengthPositions(cfg.length_control, self.embed_dim, self.padding_idx, ordinary)

    def extract_features(self, prev_output_tokens, encoder_out, *inputs, **options):
        with self.embed_positions.told(lengths_in(encoder_out)):
            return super().extract_features(prev_output_tokens, encoder_out, *inputs, **options)


class RefusesOthers:
    """A model that says in one line, and not once a name of its embedding, that weights do not go with it.

    Attributes:
        refusals: what its modules say of weights that were trained otherwise.
    """

    refusals = (OTHER_FILTERS,)

    def load_state_dict(self, *state, **options):
        try:
            return super().load_state_dict(*state, **options)
        except RuntimeError as error:
            for refusal in self.refusals:
                if refusal in str(error):
                    refuse(refusal)
            raise


@register_model("transformer_alone")
class TransformerAloneModel(RefusesOthers, TransformerModelBase):
    """fairseq's Transformer whose embeddings are ALONE, factorized or a lookup (``--embedding``).

    By default encoder input, decoder input and output projection share one embedding.
    """

    def __init__(self, cfg, encoder, decoder):
        super().__init__(cfg, encoder, decoder)
        keep_shared_embeddings_once(self)

    @classmethod
    def add_args(cls, parser):
        gen_parser_from_dataclass(parser, TransformerAloneConfig(), delete_default=True, with_prefix="")
        parser.add_argument(
            "--no-share-all-embeddings",
            dest="share_all_embeddings",
            action="store_false",
            help="separate embeddings for encoder and decoder, and for the output unless "
            "--share-decoder-input-output-embed is given",
        )
        parser.add_argument(
            "--no-length-control-pe",
            dest="length_control_pe",
            action="store_false",
            help="length control without the ordinary positional encoding, where the architecture adds it",
        )

    @classmethod
    def build_model(cls, args, task):
        check_names(args)
        cfg = TransformerAloneConfig.from_namespace(args)
        check_embedding(cfg)
        with one_line_errors():
            check_length_control(cfg)
        searches = getattr(getattr(task, "cfg", None), "eval_bleu", False)
        if cfg.length_control != "none" and searches and not isinstance(task, HeadlineTask):
            refuse("--eval-bleu with --length-control needs --task headline_generation, which tells it lengths")
        if cfg.share_all_embeddings and task.source_dictionary != task.target_dictionary:
            refuse(
                "sharing all embeddings requires one dictionary for both languages: binarise with "
                "--joined-dictionary, or add --no-share-all-embeddings"
            )
        if cfg.share_all_embeddings and cfg.encoder.embed_dim != cfg.decoder.embed_dim:
            refuse("sharing all embeddings needs --encoder-embed-dim to equal --decoder-embed-dim")
        if cfg.share_all_embeddings and cfg.decoder.embed_path not in (None, cfg.encoder.embed_path):
            refuse("all embeddings are shared: give their vectors with --encoder-embed-path alone")
        if cfg.merge_src_tgt_embed and (cfg.encoder.embed_path or cfg.decoder.embed_path):
            refuse("--merge-src-tgt-embed takes no vectors: leave out --encoder- and --decoder-embed-path")
        model = super().build_model(cfg, task)
        device = torch.device("cuda" if torch.cuda.is_available() and not getattr(args, "cpu", False) else "cpu")
        starts = [(model.encoder, task.source_dictionary, cfg.encoder.embed_path)]
        if not cfg.share_all_embeddings:
            starts.append((model.decoder, task.target_dictionary, cfg.decoder.embed_path))
        for side, dictionary, path in starts:
            if path:
                with one_line_errors():
                    start_from(side.embed_tokens, dictionary, path, device)
        # Not in the checkpoints, or the file would be wanted again each time that one is loaded.
        args.encoder_embed_path = args.decoder_embed_path = None
        log_gradients(task, model)
        return model

    @classmethod
    def build_embedding(cls, cfg, dictionary, embed_dim, path=None):
        return build_embedding(cfg, dictionary, embed_dim)  # which begins with vectors once the model is there

    @classmethod
    def build_encoder(cls, cfg, src_dict, embed_tokens):
        if cfg.length_control == "none":
            return super().build_encoder(cfg, src_dict, embed_tokens)
        return LengthEncoder(cfg, src_dict, embed_tokens)

    @classmethod
    def build_decoder(cls, cfg, tgt_dict, embed_tokens):
        kind = TiedDecoder if cfg.length_control == "none" else LengthDecoder
        return kind(cfg, tgt_dict, embed_tokens, no_encoder_attn=cfg.no_cross_attention)

    def forward(self, *inputs, **options):
        with self.decoder.output_embedding.shared_matrix(), one_line_errors():
            if needs_length(self):
                return self._forward_with_length(*inputs, **options)
            return super().forward(*inputs, **options)

    def _forward_with_length(self, src_tokens, src_lengths, prev_output_tokens, tgt_lengths=None, **options):
        """Unless ``tgt_lengths``, (batch) int64, says otherwise, the wanted length is that of the target given."""
        if tgt_lengths is None:
            tgt_lengths = prev_output_tokens.ne(self.decoder.padding_idx).sum(1)
        encoder_out = self.encoder(src_tokens, src_lengths, tgt_lengths=tgt_lengths)
        return self.decoder(prev_output_tokens, encoder_out, src_lengths=src_lengths, **options)


def keep_shared_embeddings_once(model) -> None:
    """Write an embedding that has several names in the model once into its state dict.

    Otherwise a checkpoint written from a GPU holds it once a name, and EMA updates it once a name.
    """
    names: dict[WordEmbedding, list[str]] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, WordEmbedding):
            names.setdefault(module, []).append(name)
    copies = {
        f"{other}.{key}": f"{first}.{key}"
        for module, (first, *others) in names.items()
        for key in module.state_dict()
        for other in others
    }
    model.register_state_dict_post_hook(partial(_drop_copies, copies))
    model.register_load_state_dict_pre_hook(partial(_restore_copies, copies))


def _drop_copies(copies, model, state, prefix, metadata) -> None:
    for copy in copies:
        del state[prefix + copy]


def _restore_copies(copies, model, state, prefix, *others) -> None:
    for copy, original in copies.items():
        if prefix + original in state:
            state.setdefault(prefix + copy, state[prefix + original])


def check_embedding(cfg) -> None:
    """Refuse, in one line, what does not go with an embedding that is not a table."""
    if cfg.adaptive_input or cfg.adaptive_softmax_cutoff is not None:
        refuse("adaptive input and softmax (--adaptive-*), which cut the embedding matrix up, are not supported")
    if cfg.base_layers:
        refuse("BASE layers are not supported; leave out --base-layers")
    if cfg.quant_noise.scalar:
        refuse("scalar quantisation (--quant-noise-scalar) is not supported: it does not reach these embeddings")
    # fairseq evaluates it as Python code, and it may come from a checkpoint that was only to be loaded.
    if cfg.encoder.xformers_att_config is not None or cfg.decoder.xformers_att_config is not None:
        refuse("xFormers attention is not supported; leave out --*-xformers-att-config")
    tied = cfg.share_all_embeddings or cfg.merge_src_tgt_embed or cfg.share_decoder_input_output_embed
    if tied and cfg.decoder.input_dim != cfg.decoder.output_dim:
        refuse("a tied output projection needs --decoder-output-dim to equal the dimension of the embeddings")


def _register(name: str, twin, *settings, length_control: str = "none") -> None:
    """An architecture like fairseq's own ``twin``, all embeddings shared, with ``settings`` for ALONE.

    Where it has a ``length_control``, PE is added to it.
    """

    def architecture(args):
        alone_architecture(args, *settings)
        length_architecture(args, length_control)
        args.share_all_embeddings = getattr(args, "share_all_embeddings", True)
        twin(args)

    register_model_architecture("transformer_alone", name)(architecture)


_register("transformer_alone", transformer_legacy.base_architecture, *PAPER_MT)
_register("transformer_alone_tiny", transformer_legacy.tiny_architecture, 256, 0.0, 0.0, 0)
_register("transformer_alone_iwslt_de_en", transformer_legacy.transformer_iwslt_de_en, 1024, 0.1, 0.1, 300)
_register("transformer_alone_wmt_en_de", transformer_legacy.transformer_wmt_en_de, *PAPER_MT)
_register("transformer_alone_wmt_en_de_big", transformer_legacy.transformer_wmt_en_de_big, 8192, *PAPER_MT[1:])
_register(
    "transformer_alone_gigaword",
    transformer_legacy.transformer_wmt_en_de,
    *(512, 0.1, 0.1, 300),
    length_control="lrpe",
)
