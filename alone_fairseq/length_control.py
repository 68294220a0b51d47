"""How a decoder is told the length of its output: LDPE and LRPE (Takase and Okazaki 2019, Section 3).

At the decoder's t-th input, t = 1, 2, ..., with L target tokens wanted (end-of-sentence is one of them), the d
elements of a positional encoding are [sin a_0 ... sin a_h | cos a_0 ... cos a_h], h = d/2 - 1, where

    PE     a_i = (t + 1) / 10000^(i/h)        the ordinary encoding
    LDPE   a_i = (L - t + 2) / 10000^(i/h)    its mirror: how much is left
    LRPE   a_i = (t + 1) / L^(i/h)            how large a part is done

This is the form of the authors' code and of fairseq's own PE, whose first position is padding_idx + 1 = 2. The
paper interleaves sines and cosines, has exponents 2i/d, and no such offset. Beyond the wanted length LDPE stays as
it is at the end. All is computed from t and L, in float32: there is no table, and no longest length.

The length comes with the encoder's output, the only thing that a search hands on to the decoder: ``LengthEncoder``
puts it there, ``LengthPositions`` adds the encodings.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from fairseq import utils
from fairseq.dataclass import ChoiceEnum
from fairseq.models.transformer import TransformerEncoderBase
from torch import Tensor, nn
from torch.nn import functional

from alone_fairseq.errors import UserError
from alone_fairseq.filters import check_one_of

LENGTH_CONTROLS = ("none", "ldpe", "lrpe")


@dataclass
class LengthConfig:
    length_control: ChoiceEnum(list(LENGTH_CONTROLS)) = field(
        default="none",
        metadata={"help": "positional encoding that tells the decoder the wanted length of its output"},
    )
    length_control_pe: bool = field(
        default=False, metadata={"help": "add the ordinary positional encoding to --length-control"}
    )


def check_length_control(cfg) -> None:
    """Refuse what contradicts itself.

    Raises:
        UserError: with what to do.
    """
    check_one_of(cfg.length_control, LENGTH_CONTROLS, "length control", "--length-control")
    if cfg.length_control_pe and cfg.length_control == "none":
        raise UserError("--length-control-pe is for --length-control ldpe or lrpe; without, there is PE anyway")
    if cfg.length_control_pe and cfg.no_token_positional_embeddings:
        raise UserError("--length-control-pe and --no-token-positional-embeddings contradict each other")


def length_architecture(args, length_control: str) -> None:
    """Fill in what an architecture says of length control, unless the user has; with it goes PE."""
    if getattr(args, "length_control", None) is None:
        args.length_control = length_control
    if getattr(args, "length_control_pe", None) is None:
        args.length_control_pe = args.length_control != "none" and length_control != "none"


def sinusoids(positions: Tensor, base: Tensor, dim: int) -> Tensor:
    """Sines and cosines of positions / base^(i/h): (*) and a number, or (*) of them -> (*, dim) float32."""
    half = dim // 2
    exponents = torch.arange(half, device=positions.device) / max(half - 1, 1)
    frequencies = (-exponents * base.float().log()[..., None]).exp()  # (*, half)
    angles = positions.float()[..., None] * frequencies
    return functional.pad(torch.cat([angles.sin(), angles.cos()], -1), (0, dim % 2))


def pe(positions: Tensor, dim: int) -> Tensor:
    """The ordinary encoding: (*) positions t + 1 -> (*, dim)."""
    return sinusoids(positions, torch.tensor(10000, device=positions.device), dim)


def ldpe(positions: Tensor, lengths: Tensor, dim: int, padding_idx: int = 1) -> Tensor:
    """Length-difference encoding: (*) positions t + 1, (*) lengths L -> (*, dim)."""
    left = (lengths + padding_idx - positions).clamp(min=0)  # L - t
    return pe(left + padding_idx + 1, dim)


def lrpe(positions: Tensor, lengths: Tensor, dim: int) -> Tensor:
    """Length-ratio encoding: (*) positions t + 1, (*) lengths L -> (*, dim)."""
    return sinusoids(positions, lengths.clamp(min=1), dim)


class LengthPositions(nn.Module):
    """A decoder's positional encodings if it is told how long its output shall be.

    It stands where fairseq's decoder has its ``embed_positions``.

    Args:
        kind: ``ldpe`` or ``lrpe``.
        dim: d.
        padding_idx: the padding token's index; positions are counted from the one behind it.
        ordinary: a module with the ordinary encoding, which is added; or None.
    """

    def __init__(self, kind: str, dim: int, padding_idx: int, ordinary: nn.Module | None = None):
        super().__init__()
        self.kind = kind
        self.dim = dim
        self.padding_idx = padding_idx
        self.ordinary = ordinary
        self.max_positions = sys.maxsize if ordinary is None else ordinary.max_positions
        self._lengths: Tensor | None = None

    @contextmanager
    def told(self, lengths: Tensor | None) -> Iterator[None]:
        """Within this block the wanted lengths, end-of-sentence counted, are ``lengths``: (batch) int64."""
        self._lengths = lengths
        try:
            yield
        finally:
            self._lengths = None

    def forward(self, tokens: Tensor, incremental_state: Mapping | None = None) -> Tensor:
        """Encodings of the decoder's input tokens, zero for padding.

        Args:
            tokens: (batch, length) int64.
            incremental_state: if given, only the last token's encoding is wanted.

        Returns:
            (batch, length, d), or (batch, 1, d) with ``incremental_state``.

        Raises:
            UserError: nobody has said how long the output shall be.
        """
        if self._lengths is None:
            raise UserError(
                "this model must be told how long its output shall be: give fairseq's commands --task"
                " headline_generation --desired-length N, alone translate --desired-length N"
            )
        if incremental_state is None:
            positions = utils.make_positions(tokens, self.padding_idx)  # (batch, length)
        else:
            positions = tokens.new_full((len(tokens), 1), self.padding_idx + tokens.shape[1])  # (batch, 1)
        encodings = self.encode(positions, self._lengths[:, None].expand_as(positions))
        encodings = encodings.masked_fill(positions.eq(self.padding_idx)[..., None], 0)
        if self.ordinary is None:
            return encodings
        return self.ordinary(tokens, incremental_state=incremental_state) + encodings

    def encode(self, positions: Tensor, lengths: Tensor) -> Tensor:
        """LDPE or LRPE: (*) positions t + 1, (*) lengths L -> (*, d)."""
        if self.kind == "ldpe":
            return ldpe(positions, lengths, self.dim, self.padding_idx)
        return lrpe(positions, lengths, self.dim)


class LengthEncoder(TransformerEncoderBase):
    """fairseq's encoder, which hands the wanted lengths on to the decoder."""

    def forward(self, *inputs, tgt_lengths: Tensor | None = None, **options):
        """Args: those of fairseq's, and ``tgt_lengths``: wanted lengths with end-of-sentence, (batch) int64."""
        return with_lengths(super().forward(*inputs, **options), tgt_lengths)

    def reorder_encoder_out(self, encoder_out, new_order):
        lengths = lengths_in(encoder_out)
        reordered = super().reorder_encoder_out(encoder_out, new_order)
        return with_lengths(reordered, None if lengths is None else lengths.index_select(0, new_order))


def with_lengths(encoder_out: dict[str, list[Tensor]], lengths: Tensor | None) -> dict[str, list[Tensor]]:
    return {**encoder_out, "tgt_lengths": [] if lengths is None else [lengths]}


def lengths_in(encoder_out: Mapping[str, list[Tensor]] | None) -> Tensor | None:
    """The wanted lengths in an encoder's output, (batch) int64, if they are there."""
    lengths = (encoder_out or {}).get("tgt_lengths")
    return lengths[0] if lengths else None


def needs_length(model) -> bool:
    """Whether a model must be told how long its output shall be."""
    return isinstance(getattr(getattr(model, "decoder", None), "embed_positions", None), LengthPositions)


def length_settings(model) -> dict[str, Any]:
    """The settings, by the names of ``LengthConfig``, that a model was built with."""
    if not needs_length(model):
        return asdict(LengthConfig())
    positions = model.decoder.embed_positions
    return asdict(LengthConfig(positions.kind, positions.ordinary is not None))
