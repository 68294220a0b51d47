"""``--task embedding_reconstruction``: the words of a teacher and their vectors, in batches of words."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from fairseq.data import FairseqDataset
from fairseq.dataclass import FairseqDataclass
from fairseq.tasks import FairseqTask, register_task
from omegaconf import MISSING, OmegaConf

from alone_fairseq.config import one_line_errors, refuse
from alone_fairseq.vectors import Vectors, read_vectors


@dataclass
class ReconstructionTaskConfig(FairseqDataclass):
    # Not called "data": fairseq looks for further validation sets in a folder of that name.
    teacher: str = field(
        default=MISSING,
        metadata={"help": "vectors of word2vec, GloVe, fastText, or .npz; frequent words first"},
    )
    words: int = field(default=0, metadata={"help": "number of words, the first ones of the file (0: all)"})


class TeacherDataset(FairseqDataset):
    """Words by their indices, and the teacher's vectors of them.

    Args:
        matrix: (V, d) float32.
    """

    can_reuse_epoch_itr_across_epochs = False  # each epoch has batches of its own

    def __init__(self, matrix: np.ndarray):
        self.matrix = torch.from_numpy(matrix)
        self.sizes = np.ones(len(matrix), dtype=np.int64)

    def __getitem__(self, index: int) -> int:
        return index

    def __len__(self) -> int:
        return len(self.matrix)

    def collater(self, samples: Sequence[int]) -> dict:
        if not samples:
            return {}
        words = torch.as_tensor(samples, dtype=torch.long)
        return {
            "id": words,
            "nsentences": len(words),
            "ntokens": len(words),
            "net_input": {"words": words},
            "target": self.matrix[words],  # (n, d)
        }

    def num_tokens(self, index: int) -> int:
        return 1

    def num_tokens_vec(self, indices: np.ndarray) -> np.ndarray:
        return self.sizes[indices]

    def size(self, index: int) -> int:
        return 1

    def ordered_indices(self) -> np.ndarray:
        """All words, mixed; fairseq seeds NumPy by seed and epoch."""
        return np.random.permutation(len(self))

    def batch_by_size(self, indices, max_tokens=None, max_sentences=None, required_batch_size_multiple=1):
        """Batches of ``--batch-size`` words, the last one whatever is left, unlike fairseq's."""
        size = min(filter(None, (max_tokens, max_sentences)), default=len(indices))
        return [indices[start : start + size] for start in range(0, len(indices), size)]


@register_task("embedding_reconstruction", dataclass=ReconstructionTaskConfig)
class EmbeddingReconstructionTask(FairseqTask):
    """Training and validation see the same words: what is asked is how well they can be held.

    A checkpoint keeps the words, so that a student can be used without its teacher.
    """

    def __init__(self, cfg: ReconstructionTaskConfig):
        super().__init__(cfg)
        self._kept: dict = {}

    @cached_property
    def teacher(self) -> Vectors:
        """The words to be learnt and their vectors."""
        if OmegaConf.is_config(self.cfg) and OmegaConf.is_missing(self.cfg, "teacher"):
            refuse("--teacher is missing: the file of vectors that are to be learnt")
        if self.cfg.words < 0:
            refuse(f"--words must be 0 or more, not {self.cfg.words}")
        try:
            with one_line_errors():
                vectors = read_vectors(self.cfg.teacher, self.cfg.words or None)
        except OSError as error:
            refuse(f"{self.cfg.teacher}: {error.strerror or error}")
        if self.cfg.words > len(vectors.words):
            refuse(f"--words {self.cfg.words}: {self.cfg.teacher} has {len(vectors.words):,} words")
        return Vectors(vectors.words, vectors.matrix.copy())  # what was read can't be written to

    @property
    def words(self) -> list[str]:
        return self._kept["words"] if self._kept else self.teacher.words

    @property
    def embedding_dim(self) -> int:
        return self._kept["embedding_dim"] if self._kept else self.teacher.matrix.shape[1]

    def load_dataset(self, split, combine=False, **options) -> None:
        self.datasets[split] = TeacherDataset(self.teacher.matrix)

    def get_batch_iterator(self, *arguments, **options):
        # All is in memory: a process that loads data, and that fairseq starts anew each epoch, only costs time.
        return super().get_batch_iterator(*arguments, **options | {"num_workers": 0, "data_buffer_size": 0})

    def state_dict(self) -> dict:
        return {"words": self.words, "embedding_dim": self.embedding_dim}

    def load_state_dict(self, state_dict: dict) -> None:
        self._kept = state_dict
