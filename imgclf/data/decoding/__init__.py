"""What decoding needs: splitting what was given, opening it safely, memory, modes, arrays."""
