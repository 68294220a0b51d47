"""``alone grow``: a trained model for another dictionary, without training."""

from pathlib import Path

from alone_fairseq.errors import UserError


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "grow",
        help="give a model with --alone-codes-from symbol another, larger dictionary",
        description="Give a model that was trained with --alone-codes-from symbol the dictionaries of other data,"
        " without training: words that it knew keep their embeddings, new words get those of their filters, words"
        " that are not there are gone.",
        epilog="example: alone grow averaged.pt --old-data BIN --data NEWBIN --output grown.pt",
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="of a model with --alone-codes-from symbol")
    parser.add_argument(
        "--data", required=True, type=Path, metavar="NEWBIN", help="binarised data with the new dictionaries"
    )
    parser.add_argument(
        "--old-data", type=Path, metavar="BIN", help="that of the training (default: where the training found it)"
    )
    parser.add_argument("--output", required=True, metavar="F", help="checkpoint to write")
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")
    parser.add_argument("--source-lang", metavar="L", help="if the data do not tell")
    parser.add_argument("--target-lang", metavar="L", help="if the data do not tell")
    parser.set_defaults(run=run)


def run(arguments):
    from alone_fairseq.checkpoint.files import (
        check_other_file,
        load_checkpoint,
        replacing,
        save_checkpoint,
        settings_of,
    )
    from alone_fairseq.checkpoint.grow import grow, with_growth
    from alone_fairseq.checkpoint.trust import check_trusted
    from alone_fairseq.embedding import AloneEmbedding
    from alone_fairseq.translate import direction, load_dictionary, load_models

    path = arguments.checkpoint
    state = load_checkpoint(path)
    check_trusted(path, state)
    old_data = arguments.old_data or Path((settings_of(state, "task").get("data") or "none").split(":")[0])
    if not old_data.is_dir():
        raise UserError(f"{old_data}: not there; say where the data of the training are with --old-data")
    check_other_file(arguments.output, path, old_data, arguments.data)
    source, target = direction(path, state, old_data, arguments.source_lang, arguments.target_lang)
    (model,), _ = load_models([path], old_data, source, target)
    embeddings = {
        name: module for name, module in model.eval().named_modules() if isinstance(module, AloneEmbedding)
    }
    if not embeddings:
        raise UserError(f"{path}: only a model with --embedding alone can get other words")
    dictionaries = {lang: load_dictionary(arguments.data / f"dict.{lang}.txt") for lang in (source, target)}
    if model.encoder.embed_tokens is model.decoder.embed_tokens and dictionaries[source] != dictionaries[target]:
        raise UserError(
            f"{arguments.data}: this model shares its embeddings and needs one dictionary for both sides"
        )
    dtype = state["model"][f"{next(iter(embeddings))}.base"].dtype
    growths = [
        grow(name, embedding, dictionaries[source if name.startswith("encoder") else target].symbols, dtype)
        for name, embedding in embeddings.items()
    ]
    for growth in growths:
        if growth.kept <= dictionaries[source].nspecial:
            raise UserError(
                f"{arguments.data}: no word of {growth.name} is in the dictionary there; is it the right one?"
            )
    with replacing(arguments.output, arguments.force) as file:
        save_checkpoint(with_growth(state, growths, str(arguments.data)), file)
        file.flush()
        load_models([file.name], arguments.data, source, target)  # what can't be read again is not written
    for growth in growths:
        gone = f", {growth.old - growth.kept:,} gone" if growth.kept < growth.old else ""
        print(
            f"{growth.name}: {growth.old:,} words, now {growth.new:,}{gone}; {growth.kept:,} kept, whose rows"
            f" differ by {growth.difference:.1e} at most"
        )
