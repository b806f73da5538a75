"""What decoding one image needs: opening it safely, its memory, its mode, arrays as images."""
