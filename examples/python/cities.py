import os
import sqlite3
import sys


def largest(count: int) -> list[str]:
    """Names of the largest cities, largest first."""
    with sqlite3.connect(f"file:{os.environ['CITIES']}?mode=ro", uri=True) as database:
        return [name for (name,) in database.execute("select name from city order by population desc limit ?", (count,))]


if __name__ == "__main__":
    print("\n".join(largest(int(sys.argv[1]) if len(sys.argv) > 1 else 3)))
