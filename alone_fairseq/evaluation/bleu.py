"""The BLEU of a model's translation of raw text, by sacreBLEU."""

from pathlib import Path

from sacrebleu.metrics import BLEU
from tqdm import tqdm

from alone_fairseq.errors import UserError
from alone_fairseq.lines import read_lines
from alone_fairseq.translate import Translator, search_settings


class TestSet:
    """Raw text and its translation.

    Args:
        text, reference: a sentence a line.
        data: binarised data with ``tokenizer.json``.
        beam: of the search.
        desired_length: for models with --length-control, one for all sentences or one for each.
        options: of ``Translator``.

    Raises:
        UserError: the files do not go with each other.
    """

    def __init__(self, text: Path, reference: Path, data: Path, beam: int, desired_length=None, **options):
        self.sources, self.references = read_lines(text), read_lines(reference)
        if len(self.sources) != len(self.references) or not self.sources:
            raise UserError(f"{text} and {reference}: have {len(self.sources)} and {len(self.references)} lines")
        if isinstance(desired_length, list) and len(desired_length) != len(self.sources):
            raise UserError(
                f"--desired-length: has {len(desired_length)} lengths, but {text} {len(self.sources)} lines"
            )
        self.data, self.generation = data, search_settings(beam, desired_length)
        self.options = {**options, "desired_length": desired_length}
        self.metric = BLEU()

    def score(self, checkpoint: str, title: str) -> float:
        """BLEU of the model in ``checkpoint``; ``title`` is what a progress bar says."""
        translator = Translator([checkpoint], self.data, self.generation, **self.options)
        with tqdm(desc=title, total=len(self.sources), unit=" lines", disable=None) as bar:
            found = [best for best, *_ in translator.translate(self.sources, progress=bar.update)]
        return self.metric.corpus_score(found, [self.references]).score

    @property
    def signature(self) -> str:
        """How the last score was computed."""
        return str(self.metric.get_signature())
