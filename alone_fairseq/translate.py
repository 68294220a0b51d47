"""Raw text in, raw text out: fairseq's beam search behind the steps that the training text went through."""

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import shorten
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from fairseq import checkpoint_utils, utils
from fairseq.data import Dictionary, data_utils
from fairseq.dataclass.configs import GenerationConfig

from alone_fairseq.byte_limit import limit_bytes
from alone_fairseq.checkpoint.files import load_checkpoint, meters_are_data, settings_of
from alone_fairseq.checkpoint.trust import check_trusted
from alone_fairseq.errors import UserError
from alone_fairseq.headline import check_models, check_nbest, told, warn_of_cuts
from alone_fairseq.length_control import needs_length
from alone_fairseq.lines import warn
from alone_fairseq.storage import OTHER_FILTERS
from alone_fairseq.text import TextPipeline, TextSettings

OTHER_WORDS = re.compile(  # a matrix, (V, D_e), of another V
    r"size mismatch for \S+\.(?:embed_tokens|output_projection|output_embedding)\.(?:weight|table):"
    r" copying a param with shape torch\.Size\(\[(\d+), (\d+)\]\) from checkpoint,"
    r" the shape in current model is torch\.Size\(\[(?!\1,)\d+, \2\]\)"
)


class Translator:
    """One or several models with all that lies between them and raw text.

    Args:
        checkpoint: the model's file, or several files with ``:`` between them for an ensemble, or in a list.
        data: folder of ``fairseq-preprocess``, with its dictionaries and ``tokenizer.json``.
        generation: settings of the beam search.
        source_lang, target_lang: the direction, if not that of the checkpoint or ``tokenizer.json``.
        bpe_codes: in place of the codes that ``tokenizer.json`` names.
        desired_length: wanted number of target tokens, one for all lines or one for each, if the models were
            trained with --length-control; they need it.
        max_bytes: bytes that no translation exceeds before words are joined.
        max_tokens, batch_size: limits of a batch, in source tokens (padding included) and in lines.
        cpu, fp16: leave the GPU alone; compute in half precision on it.

    Raises:
        UserError: the parts are damaged, missing, or do not belong together.
    """

    def __init__(
        self,
        checkpoint: str | Sequence[str],
        data: Path,
        generation: GenerationConfig,
        *,
        source_lang: str | None = None,
        target_lang: str | None = None,
        bpe_codes: Path | None = None,
        desired_length: int | Sequence[int] | None = None,
        max_bytes: int | None = None,
        max_tokens: int = 4096,
        batch_size: int = 64,
        cpu: bool = False,
        fp16: bool = False,
    ):
        self.cuda = torch.cuda.is_available() and not cpu
        if fp16 and not self.cuda:
            raise UserError("--fp16 needs a GPU; leave it out")
        settings = TextSettings.load(data / "tokenizer.json")
        if bpe_codes:
            if settings.bpe == "none":
                raise UserError(f"--bpe-codes: {data / 'tokenizer.json'} says that there is no BPE")
            settings = replace(settings, codes=bpe_codes)
        paths = utils.split_paths(checkpoint) if isinstance(checkpoint, str) else checkpoint
        states = [load_checkpoint(path) for path in paths]
        for path, state in zip(paths, states, strict=True):
            check_trusted(path, state)
        source_lang, target_lang = direction(paths[0], states[0], data, source_lang, target_lang)
        settings = replace(settings, source_lang=source_lang, target_lang=target_lang)
        self.source = TextPipeline(settings, source_lang)
        self.target = TextPipeline(settings, target_lang)
        self.models, self.task = load_models(paths, data, source_lang, target_lang)
        self.desired_length = desired_length
        if desired_length is not None:
            check_models(self.models)
        elif any(map(needs_length, self.models)):
            raise UserError(
                f"{':'.join(paths)}: must be told how long its output shall be: give --desired-length N"
            )
        for model in self.models:
            model.prepare_for_inference_(SimpleNamespace(generation=generation))
            if fp16:
                model.half()
            if self.cuda:
                model.cuda()
        self.generator = self.task.build_generator(self.models, generation)
        check_nbest(generation.nbest, self.generator.beam_size)
        if max_bytes is not None:
            limit_bytes(self.generator, self.task.target_dictionary, settings.target_units, max_bytes)
        self.nbest = generation.nbest
        self.max_tokens, self.batch_size = max_tokens, batch_size
        self.max_length, _ = utils.resolve_max_positions(
            self.task.max_positions(), *(model.max_positions() for model in self.models)
        )

    def translate(
        self, lines: Sequence[str], first: int = 1, progress: Callable[[int], Any] = lambda lines_done: None
    ) -> list[list[str]]:
        """The ``nbest`` translations of each line, the best first; of an empty line, empty ones.

        Args:
            first: number of the first line, for warnings.
            progress: called with the number of lines in each finished batch.
        """
        translations = [[""] * self.nbest for _ in lines]
        wanted = self._wanted(first, len(lines))
        tokens = [self.binarize(line, number) for number, line in enumerate(lines, first)]
        # A line without words is only its end-of-sentence symbol.
        filled = [index for index, ids in enumerate(tokens) if len(ids) > 1]
        progress(len(lines) - len(filled))
        if not filled:
            return translations
        lengths = np.array([len(tokens[index]) for index in filled])
        dataset = self.task.build_dataset_for_inference([tokens[index] for index in filled], lengths)
        batches = dataset.batch_by_size(
            np.argsort(-lengths, kind="stable"),  # the longest first: too little memory shows at once
            max_tokens=max(self.max_tokens, lengths.max()),
            max_sentences=self.batch_size,
        )
        for batch in batches:
            sample = dataset.collater([dataset[index] for index in batch])
            sample = utils.move_to_cuda(sample) if self.cuda else sample
            if wanted is not None:
                sizes = sample["id"].new_tensor([wanted[filled[index]] + 1 for index in sample["id"].tolist()])
                warn_of_cuts(self.generator, sample, sizes)
                sample = told(sample, sizes)
            found = self.task.inference_step(self.generator, self.models, sample)
            for index, hypotheses in zip(sample["id"].tolist(), found, strict=True):
                for rank, hypothesis in enumerate(hypotheses[: self.nbest]):
                    translations[filled[index]][rank] = self._text(hypothesis)
            progress(len(batch))
        return translations

    def _wanted(self, first: int, count: int) -> Sequence[int] | None:
        """The wanted lengths of ``count`` lines from the one numbered ``first`` on."""
        if self.desired_length is None:
            return None
        if isinstance(self.desired_length, int):
            return [self.desired_length] * count
        if len(self.desired_length) < first - 1 + count:
            raise UserError(
                f"--desired-length: has {len(self.desired_length):,} lengths, and the text has more lines"
            )
        return self.desired_length[first - 1 : first - 1 + count]

    def binarize(self, line: str, number: int) -> torch.Tensor:
        """Ids of the tokens of a raw line and of the end of the sentence: (length + 1,), int64."""
        dictionary = self.task.source_dictionary
        ids = dictionary.encode_line(self.source.encode(line), add_if_not_exist=False).long()
        if len(ids) > self.max_length:
            kept = self.max_length - 1
            warn(f"line {number}: has {len(ids) - 1} tokens; only the first {kept} are translated")
            ids = torch.cat((ids[:kept], ids[-1:]))
        # Text that reads </s> or <pad> is text.
        ids[:-1].masked_fill_(ids[:-1] < dictionary.nspecial, dictionary.unk())
        return ids

    def _text(self, hypothesis: Mapping[str, torch.Tensor]) -> str:
        return self.target.decode(self.task.target_dictionary.string(hypothesis["tokens"].int().cpu()))


def search_settings(
    beam: int, desired_length: int | Sequence[int] | None = None, **others: Any
) -> GenerationConfig:
    """Of a search that cuts no line short: fairseq's limit of 200 tokens would, in silence."""
    longest = max(desired_length, default=0) if isinstance(desired_length, Sequence) else desired_length or 0
    return GenerationConfig(beam=beam, max_len_a=1, max_len_b=200 + longest, **others)


def direction(
    path: str, state: Mapping[str, Any], data: Path, source_lang: str | None = None, target_lang: str | None = None
) -> tuple[str, str]:
    """Source and target language of a checkpoint, where they are not given.

    Raises:
        UserError: it was trained for a task that does not translate.
    """
    trained = settings_of(state, "task")
    if "source_lang" not in trained:
        task = trained.get("_name") or trained.get("task")
        raise UserError(f"{path}: trained for the task {task}, which does not translate")
    source_lang, target_lang = source_lang or trained["source_lang"], target_lang or trained["target_lang"]
    if not (source_lang and target_lang):  # training found them out from the names of the data
        if (data / "tokenizer.json").exists():
            text = TextSettings.load(data / "tokenizer.json")
            found = text.source_lang, text.target_lang
        else:
            found = data_utils.infer_language_pair(str(data)) if data.is_dir() else (None, None)
        source_lang, target_lang = source_lang or found[0], target_lang or found[1]
    if not (source_lang and target_lang):
        if not data.is_dir():
            raise UserError(f"{data}: no such folder; --data must be what fairseq-preprocess wrote")
        raise UserError(f"{data}: does not tell the languages; give --source-lang and --target-lang")
    return source_lang, target_lang


def load_dictionary(path: Path) -> Dictionary:
    """A dictionary of fairseq-preprocess.

    Raises:
        UserError: it is missing or damaged.
    """
    if not path.is_file():
        raise UserError(f"{path}: not there; --data must be what fairseq-preprocess wrote")
    try:
        return Dictionary.load(str(path))
    except Exception as error:  # fairseq raises that, too
        raise UserError(f"{path}: not a dictionary of fairseq-preprocess: {shorten(str(error), 160)}") from error


def load_models(paths: Sequence[str], data: Path, source_lang: str, target_lang: str):
    """The models in ``paths`` and their task, with the dictionaries in ``data``."""
    if not data.is_dir():
        raise UserError(f"{data}: no such folder; --data must be what fairseq-preprocess wrote")
    for lang in (source_lang, target_lang):
        if not (data / f"dict.{lang}.txt").is_file():
            raise UserError(
                f"{data}: no dict.{lang}.txt; --data must be what fairseq-preprocess wrote for"
                f" {source_lang}-{target_lang}, or give --source-lang and --target-lang"
            )
        load_dictionary(data / f"dict.{lang}.txt")  # names the file that is damaged
    overrides = {"data": str(data), "source_lang": source_lang, "target_lang": target_lang}
    # Training may have had some for its own searches.
    overrides |= {"desired_length": None, "max_bytes": None, "eval_bleu": False}
    try:
        # What hydra and fairseq warn of is how fairseq was written.
        with warnings.catch_warnings(action="ignore"), meters_are_data():
            models, _, task = checkpoint_utils.load_model_ensemble_and_task(paths, overrides)
    except (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        names = ":".join(paths)
        if OTHER_FILTERS in str(error) or OTHER_WORDS.search(str(error)):
            detail = f" with the dictionaries in {data}: they are not those of its training"
        elif isinstance(error, UserError):
            detail = f": {error}"
        else:
            detail = shorten(f"no {error}" if isinstance(error, KeyError) else str(error), 240)
            detail = f"; it is damaged, or not for the dictionaries in {data}: {detail}"
        raise UserError(f"{names}: does not load{detail}") from error
    return models, task
