"""Write the stored checkpoints and what they must give: ``python tests/artefacts/stored.py``.

They were made once and are to stay as they are: a model that somebody trained is loaded years later, and its
embeddings must still be the same. A change of what is expected breaks all models there are; the CHANGELOG says so.
Weights are sines, so that nothing here hangs on a random generator but the filters, which are what is tested.
"""

import json
from pathlib import Path

import torch
from fairseq import checkpoint_utils, options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from omegaconf import OmegaConf

import alone_fairseq

HERE = Path(__file__).parent
SIZES = """--encoder-layers 1 --decoder-layers 1 --encoder-embed-dim 16 --encoder-ffn-embed-dim 16
    --encoder-attention-heads 2 --decoder-attention-heads 2 --alone-inter-dim 24 --alone-codes 16"""
MODELS = {
    "real": "",
    "binary": "--alone-filter binary --alone-base-dim 40 --alone-codes-from symbol --alone-seed 3",
    "independent": "--alone-codebooks 0 --alone-layers 3 --no-share-all-embeddings",
}
WORDS = [f"{first}{vowel}" for first in "bdfgklmn" for vowel in "aeiou"]
SOURCE, PREVIOUS = [7, 21, 43, 4, 2], [2, 12, 30, 5]


def load(name):
    """The model in a stored checkpoint."""
    paths, overrides = [str(HERE / f"{name}.pt")], {"data": str(HERE)}
    (model,), _, _ = checkpoint_utils.load_model_ensemble_and_task(paths, overrides)
    return model.eval()


@torch.no_grad()
def results(model) -> dict[str, list]:
    """What a model gives: filters, embeddings, scores."""
    embedding = model.encoder.embed_tokens
    words = torch.tensor(SOURCE)
    scores = model(words[None], torch.tensor([len(SOURCE)]), torch.tensor([PREVIOUS]))[0]
    return {
        "fingerprint": embedding.filter_probe.tolist(),
        "filters": embedding.filters(words)[:, :6].tolist(),
        "embeddings": embedding(words)[:, :6].tolist(),
        "scores": scores[0, :, ::7].tolist(),
    }


def make(name, flags):
    """Write the checkpoint of a model as fairseq-train does, with sines for weights."""
    plugin = Path(alone_fairseq.__file__).parent
    arguments = f"{HERE} -s xx -t yy --user-dir {plugin} --arch transformer_alone_tiny {SIZES} {flags}"
    settings = options.parse_args_and_arch(options.get_training_parser(), input_args=arguments.split())
    config = convert_namespace_to_omegaconf(settings)
    model = tasks.setup_task(settings).build_model(config.model)
    config.task.data = config.model.data = "."  # not a path of this machine
    config.common.user_dir = config.model.user_dir = None
    for number, parameter in enumerate(model.parameters()):
        sines = torch.arange(1.0 + number, 1.0 + number + parameter.numel(), dtype=torch.float64).sin()
        parameter.data.copy_(0.4 * sines.view_as(parameter))
    state = {
        "args": None,
        "cfg": OmegaConf.to_container(config, resolve=True, enum_to_str=True),
        "model": model.state_dict(),
        "criterion": None,
        "optimizer_history": [{"num_updates": 0, "lr_scheduler_state": {}}],
        "task_state": {},
        "extra_state": {},
        "last_optimizer_state": None,
    }
    torch.save(state, HERE / f"{name}.pt")


if __name__ == "__main__":
    for language in ("xx", "yy"):
        (HERE / f"dict.{language}.txt").write_text("".join(f"{word} 1\n" for word in WORDS))
    for name, flags in MODELS.items():
        make(name, flags)
    expected = {name: results(load(name)) for name in MODELS}
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
