"""A --user-dir with ideas for faster convergence that are not kept, so that their rows can be made again.

``--arch transformer_alone_ideas`` and ``--optimizer adam_ideas`` have the flags below. benchmarks/convergence.py
shows how they fare. What they train is not meant to be kept.
"""

from dataclasses import dataclass, field
from itertools import product

import torch
from fairseq.dataclass import FairseqDataclass
from fairseq.dataclass.utils import gen_parser_from_dataclass
from fairseq.models import register_model, register_model_architecture
from fairseq.models.transformer import base_architecture
from fairseq.optim import register_optimizer
from fairseq.optim.adam import FairseqAdam, FairseqAdamConfig
from torch import Tensor, nn

import alone_fairseq  # noqa: F401
from alone_fairseq.baselines import LookupEmbedding
from alone_fairseq.config import PARAM_GROUP, alone_architecture, one_line_errors
from alone_fairseq.errors import UserError
from alone_fairseq.start import initial_rows
from alone_fairseq.transformer import TransformerAloneModel


@dataclass
class Ideas(FairseqDataclass):
    idea_train_codebooks: bool = field(default=False, metadata={"help": "train the columns of the codebooks, too"})
    idea_row_gradient: float = field(
        default=0.0, metadata={"help": "divide each word's gradient by its running size to this power"}
    )
    idea_base_one: bool = field(
        default=False, metadata={"help": "o begins at one, and W_2 so that embeddings keep their size"}
    )
    idea_orthogonal: bool = field(
        default=False, metadata={"help": "W_1 and W_2 begin with orthogonal columns or rows, as large as else"}
    )
    idea_unit_features: bool = field(
        default=False, metadata={"help": "hidden features of all words have the same norm"}
    )
    idea_apart: bool = field(default=False, metadata={"help": "words of about the same frequency share no column"})
    idea_whiten: float = field(
        default=0.0, metadata={"help": "damping, above 0: whiten the gradient of W_2 by its input's second moment"}
    )
    idea_project: float = field(
        default=0.0, metadata={"help": "damping, above 0: W_2 takes what it can of Adam's step for a lookup"}
    )
    idea_start: str = field(
        default="", metadata={"help": "file of vectors that a lookup begins as, with the size that it has else"}
    )


@register_model("transformer_alone_ideas")
class TransformerAloneIdeas(TransformerAloneModel):
    @classmethod
    def add_args(cls, parser):
        super().add_args(parser)
        gen_parser_from_dataclass(parser, Ideas())

    @classmethod
    def build_model(cls, args, task):
        model = super().build_model(args, task)
        embedding = model.encoder.embed_tokens
        with one_line_errors():
            apply(args, embedding)
            if args.idea_start:
                start_lookup(embedding, task.source_dictionary, args.idea_start)
        return model


@register_model_architecture("transformer_alone_ideas", "transformer_alone_ideas")
def architecture(args):
    alone_architecture(args, 1024, 0.0, 0.0, 0)
    args.share_all_embeddings = True
    base_architecture(args)


def apply(args, embedding) -> None:
    if args.idea_apart:
        set_apart(embedding)
    if args.idea_train_codebooks:
        train_codebooks(embedding)
    if args.idea_orthogonal:
        start_orthogonal(embedding)
    if args.idea_base_one:
        start_at_one(embedding)
    if args.idea_unit_features:
        embedding._compute = UnitFeatures(embedding)
    if args.idea_row_gradient:
        embedding._compute = RowGradient(embedding, args.idea_row_gradient)
    if args.idea_whiten:
        embedding.weights[1].register_hook(Whitening(embedding, args.idea_whiten))
    if args.idea_project:
        embedding._compute = Projection(embedding, args.idea_project)


def train_codebooks(embedding) -> None:
    table, codes = embedding.filter_store.tables(torch.device("cpu"))
    if len(codes) <= len(table):
        raise UserError(f"--idea-train-codebooks is for more than {len(table)} words: fewer do without columns")
    embedding.columns = nn.Parameter(table.clone())
    embedding.filter_store.tables = lambda device: (embedding.columns, codes)


def set_apart(embedding) -> None:
    """Codes anew: of each c words in a row, any two have other columns of every codebook."""
    codes = embedding.filter_store.codes  # (V, M)
    words, codebooks = codes.shape
    columns = len(embedding.filter_store.table) // codebooks
    stream = torch.Generator().manual_seed(1)
    for start, codebook in product(range(0, words, columns), range(codebooks)):
        order = torch.randperm(columns, generator=stream)
        codes[start : start + columns, codebook] = order[: words - start].to(codes.dtype)


def start_at_one(embedding) -> None:
    with torch.no_grad():
        embedding.weights[1].mul_(embedding.base.std())
        embedding.base.fill_(1.0)


def start_orthogonal(embedding) -> None:
    for weight in embedding.weights:
        size = weight.detach().norm()
        nn.init.orthogonal_(weight)
        weight.data.mul_(size / weight.norm())


def start_lookup(embedding, dictionary, path) -> None:
    """fairseq's --encoder-embed-path takes vectors as large as they are."""
    if not isinstance(embedding, LookupEmbedding):
        raise UserError("--idea-start is for --embedding lookup; ALONE has --encoder-embed-path")
    with torch.no_grad():
        rows, _ = initial_rows(path, dictionary, embedding.table)
        embedding.table.copy_(rows)


def refuse_variants(embedding, flag: str) -> None:
    if embedding.bias is not None or embedding.own is not None:
        raise UserError(f"{flag} is not for --alone-center, nor for --alone-own-rows")


class UnitFeatures:
    """The matrix of hidden features that are divided by their root mean square, times what it was on average."""

    def __init__(self, embedding):
        refuse_variants(embedding, "--idea-unit-features")
        self.embedding = embedding
        with torch.no_grad():
            self.scale = embedding.features(slice(None)).square().mean().sqrt()

    def __call__(self) -> dict[str, Tensor]:
        first, first_weight, second = self.embedding._layers(slice(None))
        hidden = first(first_weight).relu()  # (V, D_inter)
        hidden = hidden * (self.scale / hidden.square().mean(1, keepdim=True).sqrt())
        return {"matrix": hidden @ second.t()}


class Whitening:
    """G -> G C^-1, C the second moment of the hidden features over the vocabulary, as in K-FAC.

    With a centred matrix W_2's input is a word's features less their mean, so C is their covariance.
    """

    def __init__(self, embedding, damping: float, every: int = 50):
        self.embedding, self.damping, self.every = embedding, damping, every
        self.count = 0

    def __call__(self, gradient: Tensor) -> Tensor:
        if self.count % self.every == 0:
            with torch.no_grad():
                own = 0 if self.embedding.own is None else len(self.embedding.own)
                features = self.embedding.features(slice(own, None))  # (V - own, D_inter)
                if self.embedding.bias is not None:
                    features = features - features.mean(0)
                moment = features.t() @ features / len(features)
                size = moment.diagonal().mean()
                moment.diagonal().add_(self.damping * size)
                self.inverse = torch.linalg.inv(moment) * size
        self.count += 1
        return gradient @ self.inverse


class HookedMatrix:
    """The matrix as it is; ``hook`` is told its gradient, and may return another."""

    def __init__(self, embedding, hook):
        self.compute, self.hook, self.count = embedding._compute, hook, 0

    def __call__(self) -> dict[str, Tensor]:
        made = self.compute()
        if made["matrix"].requires_grad:
            made["matrix"].register_hook(self.hook)
        return made


class RowGradient(HookedMatrix):
    """The matrix, with each word's gradient divided by its root mean square over time, to some power."""

    def __init__(self, embedding, power: float, decay: float = 0.98):
        super().__init__(embedding, self.normalise)
        self.power, self.decay = power, decay
        self.squares = torch.zeros(embedding.num_embeddings)

    def normalise(self, gradient: Tensor) -> Tensor:
        self.count += 1
        self.squares.lerp_(gradient.square().mean(1), 1 - self.decay)
        size = (self.squares / (1 - self.decay**self.count)).sqrt()  # (V)
        return gradient / ((size / size.mean()) ** self.power + 1e-8).unsqueeze(1)


class Projection(HookedMatrix):
    """The matrix; from its gradient comes Adam's step for the rows of a lookup, and W_2 takes what it can of that.

    With H the hidden features and D that step, the least squares for H W_2^T = D: ``projected``, which AdamIdeas
    takes in the place of Adam's.
    """

    def __init__(self, embedding, damping: float, betas=(0.9, 0.98)):
        refuse_variants(embedding, "--idea-project")
        super().__init__(embedding, self.project)
        self.embedding, self.damping, self.betas = embedding, damping, betas
        self.second = embedding.weights[1]
        self.mean = self.squares = torch.zeros(embedding.num_embeddings, embedding.embedding_dim)

    @torch.no_grad()
    def project(self, gradient: Tensor) -> None:
        self.count += 1
        first, second = self.betas
        self.mean = self.mean.lerp(gradient, 1 - first)
        self.squares = self.squares.lerp(gradient.square(), 1 - second)
        step = self.mean / (1 - first**self.count) / ((self.squares / (1 - second**self.count)).sqrt() + 1e-8)
        features = self.embedding.features(slice(None))  # (V, D_inter)
        moment = features.t() @ features
        moment.diagonal().add_(self.damping * moment.diagonal().mean())
        self.second.projected = torch.linalg.solve(moment, features.t() @ step).t()


class Shampoo:
    """Directions of Shampoo (Gupta et al. 2018): L^-1/4 G R^-1/4, L and R running sums of G G^T and G^T G."""

    def __init__(self, momentum: float = 0.9, every: int = 10, damping: float = 1e-6):
        self.momentum, self.every, self.damping = momentum, every, damping
        self.count, self.mean, self.sums, self.roots = 0, 0.0, [0.0, 0.0], []

    def __call__(self, gradient: Tensor) -> Tensor:
        self.mean = self.momentum * self.mean + gradient
        for side, moment in enumerate((gradient @ gradient.t(), gradient.t() @ gradient)):
            self.sums[side] = self.sums[side] + moment
        if self.count % self.every == 0:
            self.roots = [self.root(moment) for moment in self.sums]
        self.count += 1
        left, right = self.roots
        return left @ self.mean @ right

    def root(self, moment: Tensor) -> Tensor:
        values, vectors = torch.linalg.eigh(moment)
        return (vectors * (values.clamp(min=0) + self.damping * values[-1]) ** -0.25) @ vectors.t()


@dataclass
class AdamIdeasConfig(FairseqAdamConfig):
    idea_step: float = field(default=1.0, metadata={"help": "share of Adam's step that W_1 and W_2 get"})
    idea_shampoo: bool = field(
        default=False, metadata={"help": "W_1 and W_2 take steps as large as Adam's, in the direction of Shampoo"}
    )


@register_optimizer("adam_ideas", dataclass=AdamIdeasConfig)
class AdamIdeas(FairseqAdam):
    def __init__(self, cfg, params):
        super().__init__(cfg, params)
        self.weights = [p for p in params if getattr(p, "param_group", None) == PARAM_GROUP]
        self.directions = [Shampoo() for _ in self.weights] if cfg.idea_shampoo else []

    @torch.no_grad()
    def step(self, *arguments, **options):
        before = [p.clone() for p in self.weights]
        super().step(*arguments, **options)
        for number, (parameter, old) in enumerate(zip(self.weights, before, strict=True)):
            step = parameter - old
            if (projected := getattr(parameter, "projected", None)) is not None:
                step = -self.get_lr() * projected
            if self.directions:
                direction = self.directions[number](parameter.grad)
                step = direction * (-step.norm() / direction.norm())
            parameter.copy_(old + self.cfg.idea_step * step)
