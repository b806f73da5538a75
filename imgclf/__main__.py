"""`python -m imgclf`: the same as the command `imgclf`."""

from __future__ import annotations

from imgclf.cli.main import main

main(prog_name="imgclf")
