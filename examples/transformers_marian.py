"""A Marian model of Hugging Face transformers whose embeddings are ALONE: trained a little, saved and loaded.

    python examples/transformers_marian.py --output marian.safetensors

It learns to copy made-up sentences. Needs transformers, pip install '.[hf]', and nothing of fairseq. Where
transformers fails at torchaudio, that one goes with another PyTorch: pip uninstall torchaudio.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_model, save_model
from torch import nn

from alone_fairseq import AloneEmbedding

try:
    from transformers import MarianConfig, MarianMTModel
except (ImportError, OSError, RuntimeError) as error:
    remedy = "pip uninstall torchaudio" if "torchaudio" in str(error) else "pip install '.[hf]'"
    raise SystemExit(f"{error}\ntransformers can't be used: {remedy}") from None

PAD, EOS, WORDS, LENGTH = 0, 1, 1000, 6


def build() -> MarianMTModel:
    """A small Marian model; encoder, decoder and output share one ALONE embedding."""
    config = MarianConfig(
        vocab_size=WORDS, d_model=64, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=128, decoder_ffn_dim=128,
        encoder_attention_heads=4, decoder_attention_heads=4, dropout=0.0, pad_token_id=PAD, eos_token_id=EOS,
        decoder_start_token_id=PAD, bos_token_id=None, forced_eos_token_id=None, scale_embedding=True,
    )  # fmt: skip
    model = MarianMTModel(config)
    embedding = AloneEmbedding(config.vocab_size, config.d_model, config.pad_token_id, inter_dim=256)
    model.set_input_embeddings(embedding)
    model.lm_head = nn.Module()
    model.lm_head.forward = embedding.project  # the output is tied
    return model


def sentences(count: int) -> torch.Tensor:
    """Random words and the end: (count, LENGTH + 1)."""
    words = torch.randint(EOS + 1, WORDS, (count, LENGTH))
    return torch.cat([words, torch.full((count, 1), EOS)], dim=1)


def train(model: MarianMTModel, steps: int) -> list[float]:
    """Losses of the steps."""
    optimizer, losses = torch.optim.Adam(model.parameters(), lr=2e-3), []
    for _ in range(steps):
        tokens = sentences(64)
        with model.get_input_embeddings().shared_matrix():  # one matrix for encoder, decoder and output
            loss = model(input_ids=tokens, labels=tokens).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--output", type=Path, required=True, metavar="F", help="file to write, in safetensors format"
    )
    parser.add_argument("--steps", type=int, default=200, metavar="N", help="of training (200)")
    arguments = parser.parse_args()
    torch.manual_seed(1)
    model = build()
    losses = train(model, arguments.steps)
    print(f"loss {losses[0]:.2f} at first, {losses[-1]:.2f} at last")
    save_model(model, str(arguments.output))  # shared tensors once, and no filters: a seed makes them
    again = build()
    load_model(again, str(arguments.output))
    tokens = sentences(4)
    found = [m.eval().generate(tokens, num_beams=2, max_new_tokens=LENGTH + 1) for m in (model, again)]
    print(f"the same after loading: {torch.equal(*found)}; {arguments.output.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
