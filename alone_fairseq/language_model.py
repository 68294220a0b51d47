"""``transformer_lm_alone``: fairseq's Transformer language model with an embedding of one's choice."""

from dataclasses import dataclass

from fairseq.dataclass.utils import gen_parser_from_dataclass
from fairseq.models import FairseqLanguageModel, register_model, register_model_architecture
from fairseq.models.transformer_lm import TransformerLanguageModelConfig, base_lm_architecture

from alone_fairseq.config import (
    PAPER_MT,
    EmbeddingConfig,
    alone_architecture,
    build_embedding,
    check_names,
    refuse,
)
from alone_fairseq.gradients import log_gradients
from alone_fairseq.transformer import (
    RefusesOthers,
    TiedDecoder,
    TransformerAloneConfig,
    check_embedding,
    keep_shared_embeddings_once,
)


@dataclass
class LanguageModelConfig(TransformerLanguageModelConfig, EmbeddingConfig):
    """fairseq's language model and the embedding's settings."""


@register_model("transformer_lm_alone")
class TransformerLMAloneModel(RefusesOthers, FairseqLanguageModel):
    """A Transformer decoder alone; by default its input and output share one embedding."""

    def __init__(self, decoder):
        super().__init__(decoder)
        keep_shared_embeddings_once(self)

    @classmethod
    def add_args(cls, parser):
        gen_parser_from_dataclass(parser, LanguageModelConfig(), delete_default=True)
        parser.add_argument(
            "--no-share-decoder-input-output-embed",
            dest="share_decoder_input_output_embed",
            action="store_false",
            help="separate embeddings for input and output",
        )

    @classmethod
    def build_model(cls, args, task):
        if args.character_embeddings:
            refuse("character embeddings replace the embedding matrix; leave out --character-embeddings")
        check_names(args)
        if args.decoder_layers_to_keep:
            args.decoder_layers = len(args.decoder_layers_to_keep.split(","))
        if getattr(args, "max_target_positions", None) is None:
            args.max_target_positions = task.args.tokens_per_sample
        cfg = TransformerAloneConfig.from_namespace(args)
        check_embedding(cfg)
        embed_tokens = build_embedding(cfg, task.source_dictionary, cfg.decoder.input_dim)
        model = cls(TiedDecoder(cfg, task.target_dictionary, embed_tokens, no_encoder_attn=True))
        log_gradients(task, model)
        return model


@register_model_architecture("transformer_lm_alone", "transformer_lm_alone")
def transformer_lm_alone(args):
    alone_architecture(args, *PAPER_MT)
    args.share_decoder_input_output_embed = getattr(args, "share_decoder_input_output_embed", True)
    base_lm_architecture(args)
