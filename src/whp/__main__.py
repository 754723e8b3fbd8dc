"""``python -m whp``."""

from whp.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
