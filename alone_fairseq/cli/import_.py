"""``alone import``: a checkpoint of the paper's own code becomes one of this package."""

from pathlib import Path

from alone_fairseq.errors import UserError


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "import",
        help="take over a checkpoint of the paper's own code",
        description="Make a checkpoint of this package from one that the code of the paper's authors has trained."
        " That code keeps the filters in files of their own, in its --save-dir; here the checkpoint holds them.",
        epilog="example: alone import old/averaged.pt --filters old/mask_to_one_embed_encoder.pt --data BIN"
        " --output new.pt",
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="trained there with --one-emb")
    parser.add_argument(
        "--filters",
        required=True,
        nargs="+",
        type=Path,
        metavar="F",
        help="mask_to_one_embed_encoder.pt, and mask_to_one_embed_decoder.pt where the embeddings are separate",
    )
    parser.add_argument(
        "--data", required=True, type=Path, metavar="BIN", help="binarised data, whose dictionaries must fit"
    )
    parser.add_argument("--output", required=True, metavar="F", help="checkpoint to write")
    parser.add_argument("--source-lang", metavar="L", help="if the data do not tell")
    parser.add_argument("--target-lang", metavar="L", help="if the data do not tell")
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")
    parser.set_defaults(run=run)


def run(arguments):
    from alone_fairseq.checkpoint.files import check_other_file, replacing, save_checkpoint
    from alone_fairseq.checkpoint.reference import take_over
    from alone_fairseq.translate import direction, load_dictionary, load_models

    check_other_file(arguments.output, arguments.checkpoint, *arguments.filters, arguments.data)
    state, embeddings = take_over(arguments.checkpoint, arguments.filters)
    given = arguments.source_lang, arguments.target_lang
    languages = direction(arguments.checkpoint, state, arguments.data, *given)
    for side, filters in zip(embeddings, arguments.filters, strict=True):
        path = arguments.data / f"dict.{languages[side.startswith('decoder')]}.txt"
        words, filtered = len(load_dictionary(path)), embeddings[side].num_embeddings
        if words != filtered:
            raise UserError(f"{filters}: has filters of {filtered:,} words, but {path} has {words:,} words")
    with replacing(arguments.output, arguments.force) as file:
        save_checkpoint(state, file)
        file.flush()
        load_models([file.name], arguments.data, *languages)  # what can't be read again is not written
    for name, embedding in embeddings.items():
        words, base_dim = embedding.filter_store.shape
        print(
            f"{name}: {words:,} words, {embedding.filter_store.kind} filters of {base_dim:,} elements,"
            f" {sum(p.numel() for p in embedding.parameters()):,} parameters"
        )
    print("nothing in a checkpoint tells which filters it was trained with: translate a sentence, to be sure")
