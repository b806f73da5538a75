"""How a network is trained: recipes and presets, the flow of pictures, run folders, the fit itself."""
