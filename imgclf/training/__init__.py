"""How a network is trained: recipes, presets, the flow of images, run folders, the fit."""
