"""How a call is made: attempts, connections, deadlines, and the secrets that go into headers."""
