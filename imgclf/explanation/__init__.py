"""What a network looked at: heat maps, their check, and the nearest pictures it was taught with."""
