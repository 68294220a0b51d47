"""``headline_generation``: translation into outputs of a wanted length (Section 3.3).

Training needs no more than ``translation`` does, but with --eval-bleu: a model with --length-control gets the
length of the target. A search gets what --desired-length says, as ``tgt_lengths`` in the batch's ``net_input``,
which fairseq hands to the encoder (see ``length_control.py``). It is the number of target tokens, and one is added
for end-of-sentence.
"""

import atexit
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Optional

import torch
from fairseq import utils
from fairseq.tasks import register_task
from fairseq.tasks.translation import TranslationConfig, TranslationTask
from torch import Tensor

from alone_fairseq.byte_limit import ByteLimit, limit_bytes, target_units
from alone_fairseq.config import one_line_errors
from alone_fairseq.errors import UserError
from alone_fairseq.length_control import needs_length

GOLD = "gold"
LONGEST = 1_000_000
NUMBER = r"[+-]?\d+"
logger = logging.getLogger(__name__)


@dataclass
class HeadlineConfig(TranslationConfig):
    desired_length: Optional[str] = field(
        default=None,
        metadata={
            "help": "generation: wanted number of target tokens; or 'gold', that of the reference; or a file with"
            " a number for each line of the input"
        },
    )
    max_bytes: Optional[int] = field(
        default=None, metadata={"help": "generation: bytes that no output exceeds, whatever length is wanted"}
    )


@register_task("headline_generation", dataclass=HeadlineConfig)
class HeadlineTask(TranslationTask):
    """fairseq's translation, and a wanted length for the outputs of models with --length-control."""

    cfg: HeadlineConfig
    _upcoming: Iterator[int] | None = None  # wanted lengths of the lines that are still to come

    def build_generator(
        self, models, args, seq_gen_cls=None, extra_gen_cls_kwargs=None, prefix_allowed_tokens_fn=None
    ):
        """Args: those of fairseq's; ``args`` may have this task's settings, too, which go before its own."""
        with one_line_errors():
            said, max_bytes = (
                getattr(self.cfg, name) if getattr(args, name, None) is None else getattr(args, name)
                for name in ("desired_length", "max_bytes")
            )
            wanted = None if said is None else read_desired_length(str(said))
            if wanted is not None:
                check_models(models)
            generator = super().build_generator(
                models, args, seq_gen_cls, extra_gen_cls_kwargs, prefix_allowed_tokens_fn
            )
            check_nbest(getattr(args, "nbest", 1), getattr(args, "beam", 5))
            if isinstance(wanted, list):
                self._check_number(wanted, str(said))
            if max_bytes is not None:
                data = Path(utils.split_paths(self.cfg.data)[0])
                limit_bytes(generator, self.tgt_dict, target_units(data, self.tgt_dict), max_bytes)
        generator.desired_length = wanted
        self._upcoming = upcoming(wanted, str(said)) if isinstance(wanted, list) else None
        return generator

    def _check_number(self, wanted: list[int], path: str) -> None:
        for split, dataset in self.datasets.items():  # fairseq-interactive has none
            if len(dataset) != len(wanted):
                raise UserError(
                    f"--desired-length {path}: has {len(wanted):,} lines, but {split} has {len(dataset):,}"
                )

    def build_dataset_for_inference(self, src_tokens, src_lengths, constraints=None):
        """Where each line has its length, that is the last column of its constraints.

        They are all that ``fairseq-interactive`` keeps of a batch beside the source.
        """
        if self._upcoming is not None:
            with one_line_errors():
                lengths = torch.tensor(take(self._upcoming, len(src_tokens)))[:, None]  # (lines, 1)
            constraints = lengths if constraints is None else torch.cat([constraints, lengths], 1)
        return super().build_dataset_for_inference(src_tokens, src_lengths, constraints)

    def inference_step(self, generator, models, sample, prefix_tokens=None, constraints=None):
        with one_line_errors():
            if "tgt_lengths" not in sample["net_input"] and generator.desired_length is not None:
                lengths = wanted_lengths(generator.desired_length, sample, constraints, self.tgt_dict.pad())
                warn_of_cuts(generator, sample, lengths)
                sample = told(sample, lengths)
            if prefix_tokens is not None and isinstance(getattr(generator, "search", None), ByteLimit):
                prefix_tokens = generator.search.cut(prefix_tokens)
            if constraints is not None and isinstance(generator.desired_length, list):
                constraints = constraints[:, :-1] if constraints.shape[1] > 1 else None
        return super().inference_step(generator, models, sample, prefix_tokens, constraints)

    def _inference_with_bleu(self, generator, sample, model):
        if needs_length(model) and generator.desired_length is None:
            # The loss is that of outputs as long as their references; so is BLEU in validation.
            sample = told(sample, gold_lengths(sample, self.tgt_dict.pad()))
        return super()._inference_with_bleu(generator, sample, model)


def read_desired_length(said: str, option: str = "--desired-length") -> int | str | list[int]:
    """What an option says: one length, ``gold``, or a length for each line of the file that it names.

    Raises:
        UserError: it is none of these, or no length is between 1 and 1,000,000.
    """
    if said == GOLD:
        return GOLD
    if re.fullmatch(NUMBER, said):
        return check_length(whole(said), f"{option} {said}")
    if not Path(said).exists() or Path(said).is_dir():
        raise UserError(f"{option} {said}: neither a number, nor {GOLD}, nor a file of numbers")
    lengths = []
    for number, line in enumerate(Path(said).read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        where = f"{said}, line {number}"
        if not re.fullmatch(rf"\s*{NUMBER}\s*", line):
            raise UserError(f"{where}: {line!r} is not a number; each line must be a wanted length")
        lengths.append(check_length(whole(line), where))
    return lengths


def whole(digits: str) -> int:
    """``int``, which refuses some thousand digits: thirty of them are too many for a length, whatever follows."""
    return int(digits.strip()[:30])


def read_wanted(said: str | None) -> int | list[int] | None:
    """What ``--desired-length`` says to a command that has no references when it translates.

    Raises:
        UserError: as ``read_desired_length``; and for ``gold``.
    """
    wanted = None if said is None else read_desired_length(said)
    if wanted == GOLD:
        raise UserError("--desired-length gold is for fairseq-generate: here give a number or a file")
    return wanted


def check_length(length: int, where: str) -> int:
    if not 1 <= length <= LONGEST:
        raise UserError(f"{where}: a wanted length must be between 1 and {LONGEST:,}")
    return length


def check_models(models) -> None:
    """Refuse a wanted length for models that can't be told one.

    Raises:
        UserError: one of them was trained without --length-control.
    """
    if not all(map(needs_length, models)):
        raise UserError(
            "--desired-length is for models that were trained with --length-control, and"
            f" {'this one was' if len(models) == 1 else 'one of these was'} not: leave it out"
        )


def check_nbest(nbest: int, beam: int) -> None:
    if nbest > beam:
        raise UserError(f"--nbest {nbest} needs a --beam of {nbest} or more, not {beam}")


def take(lengths: Iterator[int], count: int) -> list[int]:
    """The next ``count`` of the wanted lengths.

    Raises:
        UserError: there are not so many.
    """
    taken = list(islice(lengths, count))
    if len(taken) < count:
        raise UserError("--desired-length: the file has fewer lines than the input")
    return taken


def upcoming(wanted: list[int], path: str) -> Iterator[int]:
    """A file's lengths, one after the other. Once the first is asked for, what is left at the end is warned of."""
    lengths = iter(wanted)
    # fairseq-interactive tells nobody when its input ends.
    atexit.register(warn_of_lengths_left, lengths, path)
    yield from lengths


def warn_of_lengths_left(lengths: Iterator[int], path: str) -> None:
    """Say so if some of a file's lengths have not been used."""
    if left := sum(1 for _ in lengths):
        logger.warning(f"--desired-length {path}: {left:,} more lengths than lines of input")


def wanted_lengths(
    wanted: int | str | list[int], sample: dict[str, Any], constraints: Tensor | None, pad: int
) -> Tensor:
    """What the decoder is told of a batch's outputs, end-of-sentence counted: (batch) int64.

    Raises:
        UserError: ``gold`` without references; or a file has no line for one of the batch.
    """
    if wanted == GOLD:
        return gold_lengths(sample, pad)
    sources = sample["net_input"]["src_tokens"]
    if isinstance(wanted, int):
        return sources.new_full((len(sources),), wanted + 1)
    carried = sample.get("constraints") if constraints is None else constraints
    if carried is not None:
        return carried[:, -1].to(sources) + 1
    lines = sample["id"].tolist()
    if max(lines) >= len(wanted):
        raise UserError(f"--desired-length: its file has {len(wanted):,} lines, which are too few for this data")
    return sources.new_tensor([wanted[line] + 1 for line in lines])


def gold_lengths(sample: dict[str, Any], pad: int) -> Tensor:
    """Lengths of a batch's references: (batch) int64."""
    if sample.get("target") is None:
        raise UserError("--desired-length gold needs references, and there are none: give a number or a file")
    return sample["target"].ne(pad).sum(1)


def told(sample: dict[str, Any], lengths: Tensor) -> dict[str, Any]:
    """The batch with wanted lengths."""
    return {**sample, "net_input": {**sample["net_input"], "tgt_lengths": lengths}}


def warn_of_cuts(generator, sample: dict[str, Any], lengths: Tensor) -> None:
    """Say so, once, if a search would end before the wanted length."""
    if not hasattr(generator, "max_len_a") or getattr(generator, "warned_of_cuts", False):
        return
    asked = int(generator.max_len_a * sample["net_input"]["src_tokens"].shape[1] + generator.max_len_b)
    allowed = min(asked, generator.model.max_decoder_positions() - 1)
    longest = int(lengths.max()) - 1
    if longest > allowed:
        reason = "raise --max-len-b" if asked == allowed else "the model's --max-target-positions"
        logger.warning(f"{longest} tokens are wanted, but a search ends at {allowed}: {reason}")
        generator.warned_of_cuts = True
