"""``--to ctranslate2``: a model folder of CTranslate2, by its own converter from the plain model."""

from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from alone_fairseq.checkpoint.files import replacing_folder, save_checkpoint
from alone_fairseq.errors import UserError, not_installed
from alone_fairseq.export.check import (
    FLOAT32_BOUND,
    largest_difference,
    log_probabilities,
    random_pairs,
    report_difference,
)
from alone_fairseq.export.plain import Plain
from alone_fairseq.export.search import CheckText, Search, compare

FILES = {"config.json", "model.bin"} | {
    f"{side}_vocabulary.{kind}" for side in ("shared", "source", "target") for kind in ("json", "txt")
}
# Bounds of the difference by precision of the weights; on a CPU half precision is computed in float32.
BOUNDS = {
    "float32": FLOAT32_BOUND,
    "float16": 3e-2,
    "bfloat16": 3e-1,
    **dict.fromkeys(("int16", "int8", "int8_float32", "int8_float16", "int8_bfloat16"), 0.3),
}


def write(
    plain: Plain, data: Path, output: Path, force: bool, quantization: str, text: CheckText | None = None
) -> None:
    try:
        from ctranslate2.converters import FairseqConverter
    except ImportError as error:
        raise not_installed(error, "ctranslate2", "ctranslate2") from None
    with replacing_folder(output, force, FILES) as folder, TemporaryDirectory(dir=folder.parent) as scratch:
        checkpoint = Path(scratch) / "plain.pt"
        with open(checkpoint, "wb") as file:
            save_checkpoint({"args": plain.settings, "model": plain.weights}, file)
        languages = plain.settings.source_lang, plain.settings.target_lang
        converter = FairseqConverter(str(checkpoint), str(data), *languages)
        try:
            converter.convert(str(folder), quantization=quantization, force=True)
        except (ValueError, AttributeError, RuntimeError) as error:
            raise UserError(f"CTranslate2 does not take this model: {error}".replace("\n", " ")) from error
        check(plain, folder, BOUNDS[quantization])
        if text:
            compare(plain, data, text, search(folder, text.beam))


def check(plain: Plain, folder: Path, bound: float) -> None:
    """Score sentences with CTranslate2; it gives the log-probabilities of the translation's words alone."""
    from ctranslate2 import Translator

    pairs = random_pairs(plain.task, plain.model)
    source, target = plain.task.source_dictionary, plain.task.target_dictionary
    translator = Translator(str(folder), device="cpu")
    scores = translator.score_batch(
        [[source[word] for word in pair.source.tolist()] for pair in pairs],
        [[target[word] for word in pair.target.tolist()] for pair in pairs],
    )
    eos = torch.tensor([target.eos()])
    ours = []
    for pair in pairs:
        all_words = log_probabilities(plain.model, plain.task, pair, plain.desired_length)
        ours.append(all_words.gather(1, torch.cat([pair.target, eos])[:, None])[:, 0])
    theirs = [torch.tensor(score.log_probs) for score in scores]
    report_difference(largest_difference(ours, theirs), bound)


def search(folder: Path, beam: int) -> Search:
    """CTranslate2's own, with the limit of length that fairseq's has here."""
    from ctranslate2 import Translator

    translator = Translator(str(folder), device="cpu")

    def translate(tokens: list[str]) -> list[str]:
        (result,) = translator.translate_batch([tokens], beam_size=beam, max_decoding_length=len(tokens) + 201)
        return result.hypotheses[0]

    return translate
