"""Access to PlugChat: token, options, client."""
