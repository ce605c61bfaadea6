"""`python -m engrain` is the command line."""

from engrain.cli import main

main()
