"""What is done to checkpoints after training, by the commands that read and write them."""
