"""What a network looked at: heat maps, their check, and the nearest images it was taught with."""
