"""``alone compress``: a trained model with small embeddings."""

import json
import shlex
import sys
from pathlib import Path

from tqdm import tqdm

from alone_fairseq.cli.arguments import positive
from alone_fairseq.errors import UserError
from alone_fairseq.filters import CODES_FROM, KINDS

# How recipes/compress tunes.
TUNING = (
    "--criterion label_smoothed_distillation --label-smoothing 0.1 --distil-weight 0.9 --dropout 0"
    " --optimizer adam_muon --adam-betas '(0.9, 0.98)' --lr 0.001 --lr-scheduler polynomial_decay"
    " --warmup-updates 50 --max-tokens 3584"
)
BEAM = 4
SHARE, FEWEST = 5, 100  # the tuning has the fifth part of the original's updates, and no fewer than a hundred


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
    parser.add_argument("--inter-dim", type=positive, metavar="N", help="D_inter; with --layers 1 there is none")
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
    parser.add_argument("--beam", type=positive, metavar="N", help=f"for that translation ({BEAM})")
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
    from alone_fairseq.checkpoint.fit import FitError
    from alone_fairseq.checkpoint.unfinished import EMBEDDING, Unfinished
    from alone_fairseq.config import one_line_errors
    from alone_fairseq.export.plain import load_plain

    if arguments.layers == 1 and arguments.inter_dim is not None:
        raise UserError("--inter-dim has no effect with --layers 1; leave it out")
    if arguments.layers > 1 and arguments.inter_dim is None:
        raise UserError("give --inter-dim N, the width of the network")
    read = arguments.checkpoint, arguments.data, arguments.text, arguments.reference, arguments.desired_length
    state_file = f"{arguments.output}.unfinished"
    for path in (arguments.output, state_file):
        check_other_file(path, *read)
    test = test_set(arguments)
    with replacing(arguments.output, arguments.force) as file:
        plain = load_plain(arguments.checkpoint, arguments.data, arguments.source_lang, arguments.target_lang)
        chosen = {f"alone_{name}": value for name in EMBEDDING if (value := getattr(arguments, name)) is not None}
        settings = compress.alone_settings(plain, **chosen, alone_center=True)
        torch.manual_seed(1)
        try:
            compress.check_sizes(plain, settings)
            with one_line_errors():
                model = compress.build(plain, settings)
        except UserError as error:  # which speaks of fairseq-train's options
            raise UserError(str(error).replace("--alone-", "--")) from None
        before, after = embedding_parameters(plain.model), embedding_parameters(model)
        if after >= before:
            print(
                f"alone compress: warning: {after:,} embedding parameters in place of {before:,}, which saves"
                " none; a smaller --inter-dim does",
                file=sys.stderr,
            )
        device = torch.device("cuda" if torch.cuda.is_available() and not arguments.cpu else "cpu")
        unfinished = Unfinished(Path(state_file), arguments)
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
        except FitError:  # the same command would come to the same
            unfinished.remove()
            raise
        except BaseException:
            unfinished.interrupted()
            raise
        task = settings_of(original, "task")
        task = task.get("_name") or task.get("task") or "translation"
        flags = [f"--task {task}", *compress.tuning_flags(settings)]
        found["tuning"] = tuning_line(arguments, flags, plain)
        if test:
            found["scoring"] = scoring_line(arguments)
    unfinished.remove()
    folder = tuned(arguments.output)
    if (folder / "checkpoint_last.pt").exists():
        print(
            f"alone compress: warning: {folder} holds an earlier tuning, which the line for tuning would go on"
            " with; remove it first",
            file=sys.stderr,
        )
    if arguments.json:
        print(json.dumps(found, indent=2))
    else:
        report(found)


def tuned(output: str) -> Path:
    """The folder that the tuning is told to write to."""
    return Path(f"{output.removesuffix('.pt')}-tuned")


def tuning_line(arguments, flags: list[str], plain) -> str:
    """What may be pasted to tune the result towards the original."""
    updates = max(-(-plain.updates // SHARE), FEWEST)
    checkpoint, data, output = map(shlex.quote, (arguments.checkpoint, str(arguments.data), arguments.output))
    return (
        f'fairseq-train {data} --user-dir "$(alone user-dir)" --arch transformer_alone {" ".join(flags)}'
        f" --source-lang {plain.settings.source_lang} --target-lang {plain.settings.target_lang}"
        f" --finetune-from-model {output} --teacher-checkpoint {checkpoint} {TUNING}"
        f" --total-num-update {updates} --max-update {updates}"
        f" --save-dir {shlex.quote(str(tuned(arguments.output)))}{' --cpu' * arguments.cpu}"
    )


def scoring_line(arguments) -> str:
    """What may be pasted to score what the tuning has made."""
    options = {"--desired-length": arguments.desired_length, "--source-lang": arguments.source_lang}
    options |= {"--target-lang": arguments.target_lang, "--beam": arguments.beam or BEAM}
    checkpoint, data = tuned(arguments.output) / "checkpoint_last.pt", arguments.data
    line = ["alone", "translate", "--checkpoint", str(checkpoint), "--data", str(data)]
    line += [word for name, value in options.items() if value is not None for word in (name, str(value))]
    line += ["--cpu"] * arguments.cpu
    text, reference = (shlex.quote(str(path)) for path in (arguments.text, arguments.reference))
    return f"{shlex.join(line)} < {text} | sacrebleu {reference} -m bleu"


def test_set(arguments):
    if not (arguments.text or arguments.reference):
        for option in ("desired_length", "beam"):
            if getattr(arguments, option) is not None:
                name = f"--{option.replace('_', '-')}"
                raise UserError(f"{name} is for BLEU, which needs --text and --reference")
        return None
    if not (arguments.text and arguments.reference):
        raise UserError("BLEU needs both --text and --reference")
    from alone_fairseq.evaluation.bleu import TestSet
    from alone_fairseq.headline import read_wanted

    return TestSet(
        arguments.text,
        arguments.reference,
        arguments.data,
        arguments.beam or BEAM,
        read_wanted(arguments.desired_length),
        source_lang=arguments.source_lang,
        target_lang=arguments.target_lang,
        cpu=arguments.cpu,
    )


def fit_one(compress, part, updates, device, unfinished):
    from alone_fairseq.checkpoint.fit import LeftOverError

    state = unfinished.state(part.name)
    seconds = 0.1 if sys.stderr.isatty() else 30  # between lines of a log
    with tqdm(desc=part.name, total=updates, initial=state["done"] if state else 0, mininterval=seconds) as bar:

        def progress(count, error):
            bar.update(count)
            bar.set_postfix(error=f"{error:.3f}", refresh=False)

        try:
            found = compress.fit(
                part, updates, device, progress, state, lambda state_dict: unfinished.save(part.name, state_dict)
            )
        except LeftOverError as error:
            raise UserError(f"{unfinished.path}: {error}; remove it") from error
    cosines = [
        {"first": first, "last": last - 1, "cosine": cosine} for (first, last), cosine in found.cosines.items()
    ]
    return {"error": found.error, "cosines": cosines}


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
    print(f"to tune it  {found['tuning']}")
    if "scoring" in found:
        print(f"and score   {found['scoring']}")
