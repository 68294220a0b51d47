"""How fast a lookup, ALONE and its variants learn: validation perplexity after a few hundred updates.

--data is a binarised corpus, such as the one that recipes/multi30k leaves in work/multi30k/bin. A training that
is done (its log is under --output) is not done again, unless data, settings or code have changed. Options after --
go to fairseq-train. A training takes some minutes of a core on Multi30k.
"""

import hashlib
import logging
import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import product
from pathlib import Path

import report
import torch
from fairseq import options, tasks
from tqdm import tqdm

import alone_fairseq
from alone_fairseq.cli.plot import read_curve
from alone_fairseq.errors import UserError
from alone_fairseq.vectors import read_vectors

IDEAS = Path(__file__).parent / "ideas"
USER_DIR = Path(alone_fairseq.__file__).parent
SETTINGS = """--encoder-embed-dim 256 --encoder-ffn-embed-dim 512 --encoder-layers 3 --encoder-attention-heads 4
    --decoder-embed-dim 256 --decoder-ffn-embed-dim 512 --decoder-layers 3 --decoder-attention-heads 4
    --dropout 0.1 --criterion label_smoothed_cross_entropy --label-smoothing 0.1 --clip-norm 0.0
    --lr 2e-3 --lr-scheduler inverse_sqrt --warmup-updates 200 --max-tokens 2048 --required-batch-size-multiple 1
    --validate-interval-updates 100 --no-epoch-checkpoints --no-save-optimizer-state
    --log-format simple --log-interval 50 --num-workers 0 --cpu"""
ADAM = "--optimizer adam --adam-betas (0.9,0.98)"
MUON = "--optimizer adam_muon --adam-betas (0.9,0.98)"
STEP = "--optimizer adam_ideas --adam-betas (0.9,0.98)"
SLOW = f"{STEP} --idea-step"
BETA = "--adam-betas (0.9,0.999)"
ARCH = "--arch transformer_alone --alone-relu-dropout 0"
IDEA = f"--user-dir {IDEAS} --arch transformer_alone_ideas"
QUARTER = "--alone-inter-dim 1024"  # of the lookup's parameters, at V = 8,000
OWN_300 = "--alone-own-rows 300 --alone-inter-dim 873"  # the same number of parameters
OWN_300_NOT_CENTRED = "--alone-own-rows 300 --alone-inter-dim 874"
OWN_1000 = "--alone-own-rows 1000 --alone-inter-dim 523"
ROWS = {
    "lookup": f"{ARCH} --embedding lookup {ADAM}",
    "factorized, r = 64": f"{ARCH} --embedding factorized --factorized-dim 64 {ADAM}",
    "ALONE": f"{ARCH} {QUARTER} {ADAM}",
    "ReLU dropout 0.1": f"{ARCH} {QUARTER} {ADAM} --alone-relu-dropout 0.1",
    "β₂ 0.999": f"{ARCH} {QUARTER} {ADAM} {BETA}",
    "lookup, β₂ 0.999": f"{ARCH} --embedding lookup {ADAM} {BETA}",
    "warm-up 50": f"{ARCH} {QUARTER} {ADAM} --warmup-updates 50",
    "codebooks trained": f"{IDEA} {QUARTER} {ADAM} --idea-train-codebooks",
    "a 16th of the step": f"{IDEA} {QUARTER} {SLOW} 0.0625",
    "D_inter 4,096": f"{ARCH} --alone-inter-dim 4096 {ADAM}",
    "D_inter 4,096, a quarter of the step": f"{IDEA} --alone-inter-dim 4096 {SLOW} 0.25",
    "gradient normalised per word": f"{IDEA} {QUARTER} {ADAM} --idea-row-gradient 1",
    "o at one": f"{IDEA} {QUARTER} {ADAM} --idea-base-one",
    "W_1, W_2 orthogonal at first": f"{IDEA} {QUARTER} {ADAM} --idea-orthogonal",
    "features of one norm": f"{IDEA} {QUARTER} {ADAM} --idea-unit-features",
    "frequent words share no column": f"{IDEA} {QUARTER} {ADAM} --idea-apart",
    "whitened gradient of W_2": f"{IDEA} {QUARTER} {ADAM} --idea-whiten 0.01",
    "lookup's step, projected": f"{IDEA} {QUARTER} {STEP} --idea-project 0.01",
    "Shampoo": f"{IDEA} {QUARTER} {STEP} --idea-shampoo",
    "Shampoo, twice the step": f"{IDEA} {QUARTER} {SLOW} 2 --idea-shampoo",
    "centred": f"{ARCH} {QUARTER} {ADAM} --alone-center",
    "centred, half-normalised gradient": f"{IDEA} {QUARTER} {ADAM} --alone-center --idea-row-gradient 0.5",
    "centred, whitened gradient of W_2": f"{IDEA} {QUARTER} {ADAM} --alone-center --idea-whiten 0.01",
    "Muon": f"{ARCH} {QUARTER} {MUON}",
    "300 own rows": f"{ARCH} {OWN_300_NOT_CENTRED} {ADAM}",
    "centred, Muon": f"{ARCH} {QUARTER} {MUON} --alone-center",
    "centred, Muon at Adam's rate": f"{ARCH} {QUARTER} {MUON} --alone-center --muon-lr-factor 1",
    "centred, Muon at 4 times Adam's rate": f"{ARCH} {QUARTER} {MUON} --alone-center --muon-lr-factor 4",
    "centred, 300 own rows": f"{ARCH} {OWN_300} {ADAM} --alone-center",
    "300 own rows, Muon": f"{ARCH} {OWN_300_NOT_CENTRED} {MUON}",
    "centred, 300 own rows, Muon": f"{ARCH} {OWN_300} {MUON} --alone-center",
    "centred, 300 own rows, Muon, β₂ 0.999": f"{ARCH} {OWN_300} {MUON} {BETA} --alone-center",
    "centred, 1,000 own rows, Muon": f"{ARCH} {OWN_1000} {MUON} --alone-center",
}
FROM_VECTORS = {  # with the file
    "lookup, from vectors": f"{IDEA} --embedding lookup {ADAM} --idea-start",
    "centred, from vectors": f"{ARCH} {QUARTER} {ADAM} --alone-center --encoder-embed-path",
    "centred, 300 own rows, Muon, from vectors": f"{ARCH} {OWN_300} {MUON} --alone-center --encoder-embed-path",
}


def options_of(data: Path, row: str, more: list[str]) -> list[str]:
    """Of fairseq-train, which takes the later of two alike: a row may bring another --user-dir, for one."""
    return [str(data), "--user-dir", str(USER_DIR), *SETTINGS.split(), *shlex.split(ROWS[row]), *more]


def train(data: Path, row: str, seed: int, more: list[str], log: Path, keep: bool) -> None:
    """Train ``row`` with fairseq; a log under its own name is a training that has ended well.

    ``keep``: leave the model beside it.
    """
    line = [sys.executable, "-m", "fairseq_cli.train", "--seed", str(seed), *options_of(data, row, more)]
    unfinished = log.with_suffix(".unfinished")
    with open(unfinished, "w") as file, tempfile.TemporaryDirectory(dir=log.parent) as folder:
        saving = ["--save-dir", folder] if keep else ["--no-save"]
        done = subprocess.run([*line, *saving], stdout=file, stderr=subprocess.STDOUT)
        if done.returncode:
            sys.exit(f"{row}: training failed, see {unfinished}")
        if keep:
            Path(folder, "checkpoint_last.pt").rename(log.with_suffix(".pt"))
    unfinished.rename(log)


def content_hash(data: Path, row: str, threads: int) -> str:
    """Differs where another training would come out: other data, settings or code, or threads, for its time."""
    files = [*data.glob("dict.*.txt"), *data.glob("*.idx"), *data.glob("*.bin")]
    files += [*USER_DIR.rglob("*.py"), *IDEAS.glob("*.py")]
    files += [Path(word) for word in shlex.split(ROWS[row]) if row in FROM_VECTORS and Path(word).is_file()]
    content = hashlib.sha256(f"{SETTINGS} {ROWS[row]} {threads}".encode())
    for file in sorted(files):
        content.update(file.read_bytes())
    return content.hexdigest()[:8]


def seconds_an_update(log: str) -> float | None:
    """From the steps between two lines of a log; validation is not in it, nor the first, slow steps."""
    lines = re.findall(r"train_inner .*num_updates=(\d+),.*train_wall=(\d+)", log)
    if len(lines) < 2:
        return None
    updates, walls = ([int(number) for number in numbers] for numbers in zip(*lines, strict=True))
    return sum(walls[1:]) / (updates[-1] - updates[0])


def time_of_a_step(logs: list[Path]) -> float | None:
    seconds = [seconds_an_update(log.read_text()) for log in logs]
    return None if None in seconds else statistics.median(seconds)


def parameters(data: Path, row: str, more: list[str]) -> int:
    """Of the embedding of ``row`` alone."""
    line = options_of(data, row, more)
    settings = options.parse_args_and_arch(options.get_training_parser(), input_args=line)
    settings.encoder_embed_path = None  # vectors change no number
    task = tasks.setup_task(settings)
    return sum(p.numel() for p in task.build_model(settings).encoder.embed_tokens.parameters())


def result(data: Path, row: str, more: list[str], logs: list[Path], plain: list[Path]) -> dict:
    """One line of the table; ``plain``: the logs of plain ALONE, by whose time of a step others are divided."""
    finals = [list(read_curve(log, "ppl").values())[-1] for log in logs]
    ours, theirs = time_of_a_step(logs), time_of_a_step(plain) if plain else None
    return {
        "embedding": row,
        "parameters": parameters(data, row, more),
        "perplexity": f"{statistics.mean(finals):.1f}",
        "of each seed": " ".join(f"{final:.1f}" for final in finals),
        "time of a step": f"{ours / theirs:.2f}" if ours and theirs else "",
    }


def chosen(parser, names: list[str]) -> list[str]:
    if missing := [name for name in names if name in FROM_VECTORS and name not in ROWS]:
        parser.error(f"--rows: {missing[0]!r} needs --vectors FILE")
    if unknown := [name for name in names if name not in ROWS]:
        parser.error(f"--rows: no row {unknown[0]!r}; there are {', '.join(map(repr, ROWS))}")
    return names


def main() -> None:
    example = "benchmarks/convergence.py --data work/multi30k/bin --rows lookup ALONE --seeds 1 2 3"
    parser = report.parser(__doc__, example, rounds=False)
    parser.add_argument("--data", type=Path, required=True, metavar="BIN", help="binarised corpus")
    parser.add_argument("--rows", nargs="+", metavar="NAME", help=f"those to train (all): {'; '.join(ROWS)}")
    parser.add_argument("--seeds", nargs="+", type=int, metavar="N", default=[1], help="(1)")
    parser.add_argument("--updates", type=report.positive, default=300, help="(300)")
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--jobs", type=report.positive, default=cores, help=f"trainings side by side ({cores})")
    parser.add_argument("--vectors", type=Path, metavar="FILE", help=f"adds rows: {'; '.join(FROM_VECTORS)}")
    parser.add_argument("--keep", action="store_true", help="leave the models, for benchmarks/bands.py, say")
    arguments, more = report.parse(parser)
    if arguments.vectors:
        try:
            read_vectors(arguments.vectors, limit=1)
        except (UserError, OSError) as error:
            parser.error(f"--vectors: {error}")
        start = shlex.quote(str(arguments.vectors.resolve()))
        ROWS.update({name: f"{settings} {start}" for name, settings in FROM_VECTORS.items()})
    rows = chosen(parser, arguments.rows or list(ROWS))
    if not any(arguments.data.glob("dict.*.txt")):
        parser.error(f"{arguments.data}: no dict.*.txt; recipes/multi30k/run.sh --stop-stage 2 makes such data")
    if "--disable-validation" in more:
        parser.error("--disable-validation: without validation there is nothing to compare")
    folder = arguments.output / re.sub(r"[^\w.()-]+", "_", f"convergence-{arguments.updates}{''.join(more)}")
    folder.mkdir(parents=True, exist_ok=True)
    threads = int(os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // arguments.jobs))))
    torch.set_num_threads(threads)  # as in the trainings, for the table's heading
    seeds = dict.fromkeys(arguments.seeds)
    logs = {
        (row, seed): folder / f"{row}, seed {seed}, {content_hash(arguments.data, row, threads)}.log"
        for row, seed in product(rows, seeds)
    }
    more += ["--max-update", str(arguments.updates)]
    with ThreadPoolExecutor(arguments.jobs) as pool, tqdm(total=len(logs), unit="training") as progress:
        waiting = [
            pool.submit(train, arguments.data, row, seed, more, log, arguments.keep)
            for (row, seed), log in logs.items()
            if not (log.exists() and (log.with_suffix(".pt").exists() or not arguments.keep))
        ]
        progress.update(len(logs) - len(waiting))
        try:
            for job in as_completed(waiting):
                job.result()
                progress.update()
        except BaseException:  # Ctrl-C, too
            pool.shutdown(cancel_futures=True)
            raise
    logging.disable(logging.INFO)
    by_row = {row: [logs[row, seed] for seed in seeds] for row in rows}
    table = [result(arguments.data, row, more, logs, by_row.get("ALONE", [])) for row, logs in by_row.items()]
    report.write("convergence", table, arguments.output)
    curves = {row: read_curve(logs[0], "ppl") for row, logs in by_row.items()}
    report.draw("convergence", curves, "updates", "validation perplexity", arguments.output, yscale="log")


if __name__ == "__main__":
    report.run(main)
