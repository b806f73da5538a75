"""How a network is trained: recipes, presets, the flow of pictures, run folders, the fit."""
