"""Where images and labels come from: every source becomes a `Dataset` of three `Split`s."""
