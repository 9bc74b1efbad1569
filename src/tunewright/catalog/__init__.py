"""Records in SQLite (or any database that SQLAlchemy Core speaks): see `catalog.catalog`."""
