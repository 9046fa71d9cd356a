"""Makes the database that the image holds: make_database.py CSV DATABASE"""

import csv
import os
import sqlite3
import sys

source, target = sys.argv[1:]
minimum = int(os.environ["MINIMUM_POPULATION"])
with open(source, newline="", encoding="utf-8") as file, sqlite3.connect(target) as database:
    database.execute("create table city (name text primary key, country text, population integer)")
    rows = [row for row in csv.DictReader(file) if int(row["population"]) >= minimum]
    database.executemany("insert into city values (:name, :country, :population)", rows)
print(f"{len(rows)} cities with {minimum} people or more")
