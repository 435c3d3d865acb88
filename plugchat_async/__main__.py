"""`python -m plugchat_async` is the command `plugchat`."""

from .cli import main

if __name__ == "__main__":
    main()
