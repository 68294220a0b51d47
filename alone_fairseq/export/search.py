"""Whether an exported model finds the same translations as fairseq, sentence by sentence, for real text."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from fairseq.dataclass.configs import GenerationConfig
from tqdm import tqdm

from alone_fairseq.errors import UserError
from alone_fairseq.export.plain import Plain
from alone_fairseq.headline import told
from alone_fairseq.lines import read_lines, warn
from alone_fairseq.text import TextPipeline, TextSettings

Search = Callable[[list[str]], list[str]]  # tokens of a sentence to those of its translation


class CheckText:
    """Raw text to translate with both, a sentence a line, and the size of the beam.

    Raises:
        UserError: the file is empty or no text.
        OSError: it is not there or may not be read.
    """

    def __init__(self, path: Path, beam: int):
        self.path, self.beam, self.lines = path, beam, read_lines(path)
        if not any(map(str.strip, self.lines)):
            raise UserError(f"{path}: is empty")

    def sentences(self, plain: Plain, data: Path) -> list[list[str]]:
        """Tokens of each line that has any, as ``tokenizer.json`` in ``data`` says; as many as the model takes."""
        encode = TextPipeline(TextSettings.load(data / "tokenizer.json"), plain.settings.source_lang).encode
        longest = plain.model.encoder.max_positions() - 1  # and </s>
        sentences = []
        for number, line in enumerate(self.lines, 1):
            if encoded := encode(line):
                tokens = encoded.split(" ")
                if len(tokens) > longest:
                    warn(
                        f"{self.path}: line {number}: has {len(tokens)} tokens; only the first {longest} are taken"
                    )
                sentences.append(tokens[:longest])
        return sentences


def fairseq_search(plain: Plain, beam: int) -> Search:
    """fairseq's own search with the original model."""
    generator = plain.task.build_generator([plain.model], GenerationConfig(beam=beam, max_len_a=1))
    source, target = plain.task.source_dictionary, plain.task.target_dictionary

    def search(tokens: list[str]) -> list[str]:
        ids = torch.tensor([*map(source.index, tokens), source.eos()])[None]  # (1, length + 1)
        sample = {"net_input": {"src_tokens": ids, "src_lengths": torch.tensor([ids.shape[1]])}}
        if plain.desired_length is not None:
            sample = told(sample, torch.tensor([plain.desired_length + 1]))
        ((best, *_),) = plain.task.inference_step(generator, [plain.model], sample)
        return [target[word] for word in best["tokens"].tolist() if word != target.eos()]

    return search


def compare(plain: Plain, data: Path, check: CheckText, theirs: Search) -> None:
    """Translate the text with both, and print how many translations agree, and those that don't."""
    sentences = check.sentences(plain, data)
    ours = fairseq_search(plain, check.beam)
    pairs = [
        (ours(tokens), theirs(tokens)) for tokens in tqdm(sentences, desc="translating with both", disable=None)
    ]
    report(sentences, pairs, check.beam)


def report(sentences: Sequence[list[str]], pairs: Sequence[tuple[list[str], list[str]]], beam: int) -> None:
    same = sum(one == other for one, other in pairs)
    print(f"the same translation of {same:,} of {len(pairs):,} sentences, beam {beam}")
    for tokens, (one, other) in zip(sentences, pairs, strict=True):
        if one != other:
            print(f"  source    {' '.join(tokens)}\n  fairseq   {' '.join(one)}\n  exported  {' '.join(other)}")
