"""``alone compress``: a trained model with small embeddings."""

import json
import os
import shlex
import sys
import time
from argparse import Namespace
from pathlib import Path

from tqdm import tqdm

from alone_fairseq.cli.arguments import positive
from alone_fairseq.errors import UserError
from alone_fairseq.filters import CODES_FROM, KINDS

SAVE_EVERY = 30  # seconds

# How recipes/compress tunes.
TUNING = (
    "--criterion label_smoothed_distillation --label-smoothing 0.1 --distil-weight 0.9 --dropout 0"
    " --optimizer adam_muon --adam-betas '(0.9, 0.98)' --lr 0.001 --lr-scheduler polynomial_decay"
    " --warmup-updates 50 --max-tokens 3584"
)
SHARE, FEWEST = 5, 100  # updates of the original by those of its tuning, and of what is too short to divide


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "compress",
        help="replace a trained model's embedding matrices by ALONE",
        description="Fit ALONE to the embedding matrices of a trained Transformer, fairseq's own or one of this"
        " package, and write a transformer_alone with all else as it was. It translates at once, and"
        " fairseq-train --finetune-from-model makes good what was lost. Stopped, the same command goes on.",
        epilog="example: alone compress averaged.pt --data BIN --inter-dim 1024 --output compressed.pt",
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="of a translation model")
    parser.add_argument("--data", required=True, type=Path, metavar="BIN", help="binarised data, for dictionaries")
    parser.add_argument("--inter-dim", required=True, type=positive, metavar="N", help="D_inter")
    parser.add_argument("--output", required=True, metavar="F", help="checkpoint to write")
    parser.add_argument(
        "--own-rows", type=int, default=0, metavar="N", help="words that keep their rows (default: 0)"
    )
    parser.add_argument("--base-dim", type=positive, metavar="N", help="D_o (default: as embeddings)")
    parser.add_argument(
        "--layers", type=positive, default=2, metavar="N", help="layers of the network (default: 2)"
    )
    parser.add_argument("--filter", choices=KINDS, default="real", help="kind of filter (real)")
    parser.add_argument(
        "--codes-from", choices=CODES_FROM, default="index", help="what a filter follows from (index)"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the filters (1)")
    parser.add_argument("--updates", type=positive, default=1000, metavar="N", help="of the fit (1000)")
    parser.add_argument(
        "--text",
        type=Path,
        metavar="FILE",
        help="raw text to translate before and after, for BLEU; needs --reference",
    )
    parser.add_argument("--reference", type=Path, metavar="FILE", help="its translation")
    parser.add_argument("--beam", type=positive, default=4, metavar="N", help="for that translation (4)")
    parser.add_argument(
        "--desired-length",
        metavar="N|FILE",
        help="of that translation, for a model with --length-control: as of alone translate",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--cpu", action="store_true", help="use no GPU even if there is one")
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")
    parser.add_argument("--source-lang", metavar="L", help="if the data do not tell")
    parser.add_argument("--target-lang", metavar="L", help="if the data do not tell")
    parser.set_defaults(run=run)


def run(arguments):
    import torch

    from alone_fairseq.checkpoint import compress
    from alone_fairseq.checkpoint.files import (
        check_other_file,
        load_checkpoint,
        replacing,
        save_checkpoint,
        settings_of,
    )
    from alone_fairseq.config import one_line_errors
    from alone_fairseq.export.plain import load_plain

    read = arguments.checkpoint, arguments.data, arguments.text, arguments.reference, arguments.desired_length
    check_other_file(arguments.output, *read)
    test = test_set(arguments)
    plain = load_plain(arguments.checkpoint, arguments.data, arguments.source_lang, arguments.target_lang)
    settings = compress.alone_settings(
        plain,
        alone_base_dim=arguments.base_dim,
        alone_inter_dim=arguments.inter_dim,
        alone_own_rows=arguments.own_rows,
        alone_layers=arguments.layers,
        alone_filter=arguments.filter,
        alone_codes_from=arguments.codes_from,
        alone_seed=arguments.seed,
        alone_center=True,
    )
    with replacing(arguments.output, arguments.force) as file:
        torch.manual_seed(1)
        try:
            check_smaller(embedding_parameters(plain.model), compress.embedding_parameters(plain, settings))
            with one_line_errors():
                model = compress.build(plain, settings)
        except UserError as error:  # which speaks of fairseq-train's options
            raise UserError(str(error).replace("--alone-", "--")) from None
        device = torch.device("cuda" if torch.cuda.is_available() and not arguments.cpu else "cpu")
        unfinished = Unfinished(Path(f"{arguments.output}.unfinished"), arguments)
        try:
            scores = {"before": test.score(arguments.checkpoint, "BLEU before")} if test else {}
            parts = {
                part.name: fit_one(compress, part, arguments.updates, device, unfinished)
                for part in compress.parts(plain, model)
            }
            original = load_checkpoint(arguments.checkpoint)
            state = compress.checkpoint(original, model, settings)
            save_checkpoint(state, file)
            file.flush()
            languages = arguments.source_lang, arguments.target_lang
            load_plain(file.name, arguments.data, *languages)  # what can't be read again is not written
            found = {"embeddings": parts, **sizes(plain.model, model, original, state)}
            if test:
                scores["after"] = test.score(file.name, "BLEU after")
                found["BLEU"] = {**scores, "signature": test.signature}
        except BaseException:
            unfinished.interrupted()
            raise
        found["tuning"] = compress.tuning_flags(settings)
        task = settings_of(original, "task")
        name = task.get("_name") or task.get("task")
        found["tuning"] += [] if name == "translation" else [f"--task {name}"]
    unfinished.remove()
    if arguments.json:
        print(json.dumps(found, indent=2))
    else:
        report(found)
        print(f"to tune it  {tuning_line(arguments, found['tuning'], plain.updates)}")


def check_smaller(before: int, after: int) -> None:
    """Refuse sizes for which nobody compresses, before a typing error takes all memory."""
    if after >= before:
        raise UserError(
            f"{after:,} embedding parameters in place of {before:,} save none; choose a smaller --inter-dim,"
            " --base-dim or --own-rows"
        )


def tuning_line(arguments, flags: list[str], updates: int) -> str:
    """What may be pasted to tune the result towards the original."""
    updates = max(updates // SHARE, FEWEST)
    checkpoint, data, output = map(shlex.quote, (arguments.checkpoint, str(arguments.data), arguments.output))
    folder = shlex.quote(f"{arguments.output.removesuffix('.pt')}-tuned")
    return (
        f'fairseq-train {data} --user-dir "$(alone user-dir)" --arch transformer_alone {" ".join(flags)}'
        f" --finetune-from-model {output} --teacher-checkpoint {checkpoint} {TUNING}"
        f" --total-num-update {updates} --max-update {updates} --save-dir {folder}"
    )


def test_set(arguments):
    if not (arguments.text or arguments.reference):
        if arguments.desired_length is not None:
            raise UserError("--desired-length is for BLEU, which needs --text and --reference")
        return None
    if not (arguments.text and arguments.reference):
        raise UserError("BLEU needs both --text and --reference")
    from alone_fairseq.evaluation.bleu import TestSet
    from alone_fairseq.headline import read_wanted

    return TestSet(
        arguments.text,
        arguments.reference,
        arguments.data,
        arguments.beam,
        read_wanted(arguments.desired_length),
        source_lang=arguments.source_lang,
        target_lang=arguments.target_lang,
        cpu=arguments.cpu,
    )


def fit_one(compress, part, updates, device, unfinished):
    state = unfinished.state(part.name)
    seconds = 0.1 if sys.stderr.isatty() else SAVE_EVERY  # between lines of a log
    with tqdm(desc=part.name, total=updates, initial=state["done"] if state else 0, mininterval=seconds) as bar:

        def progress(count, error):
            bar.update(count)
            bar.set_postfix(error=f"{error:.3f}", refresh=False)

        found = compress.fit(
            part, updates, device, progress, state, lambda state_dict: unfinished.save(part.name, state_dict)
        )
    cosines = [
        {"first": first, "last": last - 1, "cosine": cosine} for (first, last), cosine in found.cosines.items()
    ]
    return {"error": found.error, "cosines": cosines}


class Unfinished:
    """What a stopped fit has reached, in a file beside the output."""

    def __init__(self, path: Path, arguments: Namespace):
        import torch

        self.path = path
        ignored = (
            "output",
            "force",
            "run",
            "cpu",
            "command",
            "text",
            "reference",
            "beam",
            "desired_length",
            "json",
        )
        files = {"checkpoint": os.path.realpath(arguments.checkpoint), "data": os.path.realpath(arguments.data)}
        settings = {**vars(arguments), **files}
        self.arguments = {name: str(value) for name, value in settings.items() if name not in ignored}
        self.states, self.newest = {}, None
        self.saved = time.monotonic()
        if path.exists():
            try:
                content = torch.load(path, map_location="cpu", weights_only=True)
                arguments, self.states = dict(content["arguments"]), dict(content["states"])
                if not all(isinstance(state["done"], int) for state in self.states.values()):
                    raise ValueError("no number of steps")
            except Exception as error:  # bytes of any kind can make an unpickler fail in any way
                raise UserError(f"{path}: not what a stopped fit leaves; remove it") from error
            if others := sorted(name for name in self.arguments if arguments.get(name) != self.arguments[name]):
                name = others[0]
                raise UserError(
                    f"{path}: left by a fit with another {name.replace('_', '-')}, {arguments.get(name)} and not"
                    f" {self.arguments[name]}; go on with that one, or remove the file"
                )

    def state(self, name):
        return self.states.get(name)

    def save(self, name, state_dict, at_once=False) -> None:
        from alone_fairseq.checkpoint.files import replacing, save_checkpoint

        self.newest = name, state_dict
        if not at_once and time.monotonic() - self.saved < SAVE_EVERY:
            return
        self.states[name] = state_dict()
        with replacing(self.path, force=True) as file:
            save_checkpoint({"arguments": self.arguments, "states": self.states}, file)
        self.saved = time.monotonic()

    def interrupted(self) -> None:
        if self.newest:
            self.save(*self.newest, at_once=True)
            print(f"{self.path}: keeps what is done; the same command goes on", file=sys.stderr)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def embedding_parameters(model) -> int:
    from alone_fairseq.checkpoint.contents import EMBEDDING

    return sum(p.numel() for name, p in model.named_parameters() if EMBEDDING.fullmatch(name))


def sizes(old, new, original, state):
    from alone_fairseq.checkpoint.contents import stored_bytes

    def counts(model, stored):
        return {
            "parameters": sum(p.numel() for p in model.parameters()),
            "embedding_parameters": embedding_parameters(model),
            "weight_bytes": stored_bytes(stored["model"].values()),
        }

    return {"before": counts(old, original), "after": counts(new, state)}


def report(found):
    for name, part in found["embeddings"].items():
        error = f"{part['error']:.1%} of the variance"
        print(f"{name}: squared error {error}, weighted by the root of the words' counts;")
        for band in part["cosines"]:
            print(f"  words {band['first']:,} to {band['last']:,}: mean cosine {band['cosine']:.3f}")
    before, after = found["before"], found["after"]
    words, words_now = before["embedding_parameters"], after["embedding_parameters"]
    print(f"parameters  {before['parameters']:,} before, {after['parameters']:,} now")
    print(f"embeddings  {words:,} before, {words_now:,} now: {words_now / words:.1%}")
    print(f"weights     {before['weight_bytes']:,} bytes before, {after['weight_bytes']:,} now, in the file")
    if "BLEU" in found:
        bleu = found["BLEU"]
        print(f"BLEU        {bleu['before']:.2f} before, {bleu['after']:.2f} now; {bleu['signature']}")
