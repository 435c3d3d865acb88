"""How a command reaches PlugChat: token, options, client."""
